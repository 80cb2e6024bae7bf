package watch_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/status"

	"github.com/evenkeel-grpc/evenkeel/resolvers/internal/watch"
)

func TestStartReturnsBeforeTheSourceRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		src := newFakeSource() // does nothing until told
		_, cc := start(t, src)
		if d := time.Since(began); d != 0 {
			t.Errorf("Start took %v", d)
		}
		expect(t, cc)
	})
}

func TestFirstFailureIsReportedAtOnceAndThenEveryChangeOfTheText(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newFakeSource()
		_, cc := start(t, src)
		began := time.Now()
		src.fails("refused")
		expect(t, cc, "error fake: x: refused")
		if d := time.Since(began); d != 0 {
			t.Errorf("the first error came after %v", d)
		}
		src.fails("refused")
		src.fails("refused")
		expect(t, cc)
		src.fails("unknown host")
		expect(t, cc, "error fake: x: unknown host")
		src.answers("a")
		expect(t, cc, "list a")
		src.fails("unknown host")
		expect(t, cc, "error fake: x: unknown host")
	})
}

// An error with a status would end wait-for-ready RPCs with the code of the
// registry, which is none of their business.
func TestReportedErrorsHaveNoStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newFakeSource()
		_, cc := start(t, src)
		src.steps <- step{err: status.Error(codes.PermissionDenied, "no")}
		expect(t, cc, "error fake: x: rpc error: code = PermissionDenied desc = no")
		if _, ok := status.FromError(cc.err); ok {
			t.Errorf("ReportError(%v) got an error with a gRPC status", cc.err)
		}
	})
}

func TestSourceThatEndsWithoutErrorIsRunAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var runs atomic.Int64
		_, cc := start(t, sourceFunc(func(ctx context.Context, _ func(watch.Snapshot)) error {
			if runs.Add(1) == 1 {
				return nil
			}
			<-ctx.Done()
			return ctx.Err()
		}))
		expect(t, cc, "error fake: x: the source ended without an error")
		time.Sleep(2 * watch.MinBackoff)
		if got := runs.Load(); got != 2 {
			t.Errorf("runs = %d, want 2", got)
		}
	})
}

type sourceFunc func(context.Context, func(watch.Snapshot)) error

func (f sourceFunc) Run(ctx context.Context, publish func(watch.Snapshot)) error {
	return f(ctx, publish)
}

func TestWaitDoublesUpToTheMaximumWithJitter(t *testing.T) {
	seen := map[time.Duration]bool{} // third waits
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			src := &broken{}
			start(t, src)
			time.Sleep(10 * time.Minute)
			runs := src.starts()
			want := watch.MinBackoff
			for i := 1; i < len(runs); i++ {
				got := runs[i].Sub(runs[i-1])
				if got < want/2 || got > want*3/2+1 {
					t.Fatalf("wait %d = %v, want %v plus or minus half", i, got, want)
				}
				want = min(2*want, watch.MaxBackoff)
			}
			if len(runs) < 80 {
				t.Errorf("only %d runs in 10 minutes", len(runs))
			}
			seen[runs[3].Sub(runs[2])] = true
		})
	}
	if len(seen) < 15 {
		t.Errorf("20 watchers chose only %d different third waits", len(seen))
	}
}

func TestWaitStartsOverOnlyAfterARunThatLasted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newFakeSource()
		start(t, src)
		for range 10 {
			src.fails("down")
		}
		src.answers("a")
		src.fails("at once") // no success: list and follow would become a busy loop
		src.answers("a")
		if gaps := src.gaps(); gaps[len(gaps)-1] < watch.MaxBackoff/2 {
			t.Errorf("wait after a run that broke at once = %v, want about %v", gaps[len(gaps)-1], watch.MaxBackoff)
		}
		time.Sleep(watch.MaxBackoff)
		began := time.Now()
		src.fails("later")
		src.answers("a")
		if d := time.Since(began); d > 2*watch.MinBackoff {
			t.Errorf("wait after a run that lasted = %v, want about %v", d, watch.MinBackoff)
		}
	})
}

// A run that needs longer than the longest wait to find out that it cannot
// connect is no success.
func TestWaitGoesOnAfterALongRunWithoutAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newFakeSource()
		start(t, src)
		src.answers("a")
		for range 10 {
			src.fails("down")
		}
		time.Sleep(2 * watch.MaxBackoff) // the next run is under way
		src.fails("no answer in time")
		began := time.Now()
		src.answers("a")
		if d := time.Since(began); d < watch.MaxBackoff/2 {
			t.Errorf("wait = %v, want about %v", d, watch.MaxBackoff)
		}
	})
}

func TestResolveNowCutsTheWaitShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newFakeSource()
		w, _ := start(t, src)
		for range 10 {
			src.fails("down")
		}
		time.Sleep(watch.ResolveNowInterval)
		began := time.Now()
		w.ResolveNow(resolver.ResolveNowOptions{})
		src.answers("a")
		if d := time.Since(began); d != 0 {
			t.Errorf("run %v after ResolveNow, want at once", d)
		}
	})
}

func TestResolveNowInAHotLoopIsLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &broken{}
		w, _ := start(t, src)
		time.Sleep(time.Minute) // waits have their full length now
		before := len(src.starts())
		for range 60 * 1000 {
			w.ResolveNow(resolver.ResolveNowOptions{})
			time.Sleep(time.Millisecond)
		}
		if got := len(src.starts()) - before; got < 55 || got > 61 {
			t.Errorf("runs in a minute of ResolveNow calls = %d, want one each %v", got, watch.ResolveNowInterval)
		}
	})
}

func TestResolveNowWhileTheSourceRunsHasNoEffect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newFakeSource()
		w, cc := start(t, src)
		src.answers("a")
		for range 10 {
			src.fails("down")
		}
		src.answers("b")
		cc.take()
		w.ResolveNow(resolver.ResolveNowOptions{})
		synctest.Wait()
		src.fails("down")
		began := time.Now()
		src.answers("b")
		if d := time.Since(began); d < watch.MaxBackoff/2 {
			t.Errorf("the wait after a stale ResolveNow was %v, want about %v", d, watch.MaxBackoff)
		}
	})
}

func TestListsAreSortedAndFreeOfDuplicates(t *testing.T) {
	for _, tt := range []struct{ name, answer, want string }{
		{"unsorted", "c a b", "a b c"},
		{"the first of two with one address", "b a{1} a{2}", "a{1} b"},
		{"several addresses keep their order", "d c+b a", "a c+b d"},
		{"the same addresses in another order", "b+c{1} c+b{2}", "b+c{1}"},
		{"some of the same addresses", "a+b a b", "a a+b b"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				src := newFakeSource()
				_, cc := start(t, src)
				src.answers(tt.answer)
				expect(t, cc, "list "+tt.want)
			})
		})
	}
}

func TestFirstOfManyDuplicatesCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newFakeSource()
		_, cc := start(t, src)
		src.answers("b{1} a{1}" + strings.Repeat(" b{2} a{2}", 50))
		expect(t, cc, "list a{1} b{1}")
	})
}

func TestEndpointsWithoutAddressDoNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newFakeSource()
		_, cc := start(t, src)
		src.steps <- step{answer: watch.Snapshot{Endpoints: make([]resolver.Endpoint, 2)}}
		expect(t, cc, "error fake: x: no endpoints")
	})
}

func TestListIsAlsoPublishedAsAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newFakeSource()
		_, cc := start(t, src)
		src.answers("c b+a{1}")
		expect(t, cc, "list b+a{1} c")
		var flat []string
		for _, a := range cc.last.Addresses {
			flat = append(flat, a.Addr)
			if a.Attributes != nil {
				t.Errorf("address %s has attributes %v: they would replace its connection", a.Addr, a.Attributes)
			}
		}
		if want := []string{"b", "a", "c"}; !slices.Equal(flat, want) {
			t.Errorf("addresses = %q, want %q", flat, want)
		}
	})
}

func TestOnlyChangesArePublished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newFakeSource()
		_, cc := start(t, src)
		src.answers("a b{1}")
		expect(t, cc, "list a b{1}")
		src.answers("b{1} a")
		expect(t, cc)
		src.answers("b{2} a")
		expect(t, cc, "list a b{2}")
		src.answers("b a")
		expect(t, cc, "list a b")
	})
}

func TestOutageKeepsTheLastList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newFakeSource()
		_, cc := start(t, src)
		src.answers("a")
		src.fails("down")
		expect(t, cc, "list a", "error fake: x: down")
		time.Sleep(24 * time.Hour)
		expect(t, cc)
	})
}

func TestFirstAnswerAfterAnErrorIsPublishedEvenIfUnchanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newFakeSource()
		_, cc := start(t, src)
		src.answers("a")
		src.fails("down")
		cc.take()
		src.answers("a")
		expect(t, cc, "list a")
		src.answers("a")
		expect(t, cc)
	})
}

func TestCloseWaitsForTheSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newFakeSource()
		src.linger = time.Second
		w, cc := start(t, src)
		src.answers("a")
		cc.take()
		began := time.Now()
		w.Close()
		if d := time.Since(began); d != time.Second {
			t.Errorf("Close returned after %v, want %v, when the source is gone", d, time.Second)
		}
		expect(t, cc)
		w.Close() // again: harmless
	})
}

func TestCloseEndsTheWaitBetweenRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newFakeSource()
		w, cc := start(t, src)
		for range 10 {
			src.fails("down")
		}
		cc.take()
		began := time.Now()
		w.Close()
		if d := time.Since(began); d != 0 {
			t.Errorf("Close took %v", d)
		}
		expect(t, cc)
	})
}

func TestCloseFreesASourceThatPublishes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var after error
		w, _ := start(t, sourceFunc(func(ctx context.Context, publish func(watch.Snapshot)) error {
			<-ctx.Done()
			for range 100 {
				publish(watch.Snapshot{})
			}
			after = errors.New("returned")
			return after
		}))
		synctest.Wait()
		w.Close()
		if after == nil {
			t.Error("Close returned before the source did")
		}
	})
}
