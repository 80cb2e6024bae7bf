package register_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/evenkeel-grpc/evenkeel/resolvers/internal/register"
)

type (
	book   = register.Book[string, int]
	status = register.Status[int]
)

var errDown = errors.New("down")

// fakeKeeper is a source whose attempts last as long as told, and then fail unless
// the entry is to go.
type fakeKeeper struct {
	*book
	lasts  time.Duration
	stuck  bool // never gone
	starts []time.Time
	seen   []register.State
	closed int
}

func (k *fakeKeeper) Attempt(ctx context.Context) error {
	k.starts = append(k.starts, time.Now())
	if _, _, draining := k.Wanted(); draining {
		k.Note(func(s *status) { s.State = register.Draining })
		if k.stuck {
			return errDown
		}
		return nil
	}
	select {
	case <-time.After(k.lasts):
	case <-ctx.Done():
	}
	return errDown
}

func (k *fakeKeeper) Failed(error) int           { return len(k.starts) }
func (k *fakeKeeper) Leave(context.Context) bool { return !k.stuck }
func (k *fakeKeeper) Close()                     { k.closed++ }

// keep starts the keeper in the bubble of t, until the end of the test or stop.
func keep(t *testing.T, k *fakeKeeper) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	k.book = register.Open[string, int]("fake", "x", "first", func(before, now status) {
		if now.State != before.State {
			k.seen = append(k.seen, now.State)
		}
	})
	k.Start(ctx, k)
	stop = func() {
		cancel()
		<-k.Done()
		if k.closed != 1 {
			t.Errorf("the keeper was closed %d times, want once", k.closed)
		}
	}
	t.Cleanup(stop)
	synctest.Wait()
	return stop
}

// within returns a context that is done after d.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func refuse(string) (string, error) { return "refused", errDown }

func change(string) (string, error) { return "second", nil }

func TestAttemptThatLastedStartsTheWaitsOver(t *testing.T) {
	for _, tt := range []struct {
		name      string
		lasts     time.Duration
		low, high time.Duration // of the tenth wait
	}{
		{"shorter", register.MaxRepair - 1, register.MaxRepair / 2, register.MaxRepair * 3 / 2},
		{"as long", register.MaxRepair, register.MinRepair / 2, register.MinRepair * 3 / 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := &fakeKeeper{lasts: tt.lasts}
				stop := keep(t, k)
				time.Sleep(time.Minute)
				stop()
				if got := k.starts[10].Sub(k.starts[9]) - tt.lasts; got < tt.low || got > tt.high+1 {
					t.Errorf("wait = %v, want %v to %v", got, tt.low, tt.high)
				}
			})
		})
	}
}

func TestDrainCutsTheWaitShortOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &fakeKeeper{stuck: true}
		keep(t, k)
		if err := k.Update(within(t, 1), change); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, errDown) {
			t.Errorf("Update = %v, want that time is up and the last error", err)
		}
		if wanted, version, _ := k.Wanted(); wanted != "second" || version != 2 || len(k.starts) != 1 {
			t.Errorf("after Update %q, version %d, is wanted, and there were %d attempts; want second, 2 and 1", wanted, version, len(k.starts))
		}
		for range 3 {
			want := `fake: "x": not removed yet: context deadline exceeded; last error: down`
			if err := k.Drain(within(t, 1)); err == nil || err.Error() != want {
				t.Errorf("Drain = %v, want %s", err, want)
			}
		}
		if s := k.Status(); len(k.starts) != 2 || s != (status{State: register.Draining, Err: errDown, Detail: 2}) {
			t.Errorf("%d attempts and %+v after Drain, want 2 and draining", len(k.starts), s)
		}
	})
}

func TestDrainEndsTheKeeper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &fakeKeeper{}
		keep(t, k)
		if err := k.Drain(t.Context()); err != nil {
			t.Errorf("Drain = %v", err)
		}
		<-k.Done()
		want := []register.State{register.Retrying, register.Draining, register.Stopped}
		if !slices.Equal(k.seen, want) || k.Status() != (status{State: register.Stopped}) {
			t.Errorf("states %v and at last %+v, want %v and no error", k.seen, k.Status(), want)
		}
		if err := k.Ready(t.Context()); !errors.Is(err, register.ErrStopped) {
			t.Errorf("Ready = %v, want %v", err, register.ErrStopped)
		}
	})
}

func TestEndOfContextTellsWhetherTheEntryIsGone(t *testing.T) {
	for _, stuck := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			k := &fakeKeeper{lasts: time.Hour, stuck: stuck}
			stop := keep(t, k)
			k.Wrote(1, 7)
			stop()
			if len(k.starts) != 1 {
				t.Errorf("%d attempts, want no other when the context is done", len(k.starts))
			}
			if err := k.Ready(t.Context()); err != nil {
				t.Errorf("Ready = %v, want nil: it was written once", err)
			}
			if err := k.Drain(t.Context()); errors.Is(err, register.ErrStopped) != stuck {
				t.Errorf("Drain when the entry was stuck: %t = %v", stuck, err)
			}
		})
	}
}

func TestUpdateThatIsRefusedChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &fakeKeeper{lasts: time.Hour}
		keep(t, k)
		if err := k.Update(t.Context(), refuse); !errors.Is(err, errDown) || err.Error() != `fake: Update "x": down` {
			t.Errorf("Update = %v, want why it is refused", err)
		}
		if wanted, version, _ := k.Wanted(); wanted != "first" || version != 1 {
			t.Errorf("%q, version %d, is wanted, want what was before", wanted, version)
		}
	})
}
