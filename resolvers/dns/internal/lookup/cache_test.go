package lookup_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
	"go.uber.org/goleak"

	"github.com/evenkeel-grpc/evenkeel/resolvers/dns/internal/lookup"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// slowNet answers after half a second.
func slowNet(t *testing.T, records ...string) *fakeNet {
	t.Helper()
	quick := says(t, records...)
	return &fakeNet{handlers: map[string]handler{"s:53": func(ctx context.Context, q lookup.Question) (*dns.Msg, error) {
		select {
		case <-time.After(time.Second / 2):
			return quick(ctx, q)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}}}
}

func TestManySessionsShareOneLookUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := slowNet(t, "a.test. 60 IN A 10.0.0.1")
		c := &lookup.Cache{Exchange: n.exchange}
		var wg sync.WaitGroup
		for range 1000 {
			wg.Go(func() {
				s := c.Open(servers("s:53"))
				defer s.Close()
				if r := s.Ask(t.Context(), question, never); r.Err != nil || len(r.Addrs) != 1 {
					t.Errorf("Ask(%v) = %v, %v, want one address", question, r.Addrs, r.Err)
				}
				time.Sleep(time.Second)
				if r := s.Ask(t.Context(), question, always); len(r.Addrs) != 1 {
					t.Errorf("Ask(%v) again = %v, %v, want one address", question, r.Addrs, r.Err)
				}
			})
		}
		wg.Wait()
		if got := len(n.take()); got != 1 {
			t.Errorf("questions to the server = %d, want 1", got)
		}
	})
}

func TestFailuresAreSharedToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &fakeNet{handlers: map[string]handler{"s:53": fails("down")}}
		c := &lookup.Cache{Exchange: n.exchange}
		a, b := c.Open(servers("s:53")), c.Open(servers("s:53"))
		defer a.Close()
		defer b.Close()
		first := a.Ask(t.Context(), question, always)
		second := b.Ask(t.Context(), question, always)
		if first.Err == nil || !errors.Is(second.Err, first.Err) {
			t.Errorf("the sessions got %v and %v, want the same error", first.Err, second.Err)
		}
		if got := len(n.take()); got != 2 { // attempts of one look-up
			t.Errorf("questions to the server = %d, want 2", got)
		}
	})
}

func TestResultThatIsNotUsableIsLookedUpAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &fakeNet{handlers: map[string]handler{"s:53": says(t, "a.test. 60 IN A 10.0.0.1")}}
		c := &lookup.Cache{Exchange: n.exchange}
		s := c.Open(servers("s:53"))
		defer s.Close()
		fresh := func(r lookup.Result) bool { return time.Since(r.At) < time.Minute }
		for i, want := range []int{1, 1, 2} {
			s.Ask(t.Context(), question, fresh)
			n.mu.Lock()
			got := len(n.asked)
			n.mu.Unlock()
			if got != want {
				t.Errorf("questions after %d asks = %d, want %d", i+1, got, want)
			}
			time.Sleep(time.Minute / 2)
		}
	})
}

func TestDifferentServersShareNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ok := says(t, "a.test. 60 IN A 10.0.0.1")
		n := &fakeNet{handlers: map[string]handler{"s:53": ok, "z:53": ok}}
		c := &lookup.Cache{Exchange: n.exchange}
		secure := servers("s:53")
		secure.ServerName = "s.test"
		for _, sv := range []lookup.Servers{servers("s:53"), servers("z:53"), secure} {
			s := c.Open(sv)
			defer s.Close()
			s.Ask(t.Context(), question, always)
		}
		if got := len(n.take()); got != 3 {
			t.Errorf("questions of three sessions = %d, want 3", got)
		}
	})
}

func TestResultIsForgottenWithTheLastSessionThatAskedForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &fakeNet{handlers: map[string]handler{"s:53": says(t, "a.test. 60 IN A 10.0.0.1")}}
		c := &lookup.Cache{Exchange: n.exchange}
		a, b := c.Open(servers("s:53")), c.Open(servers("s:53"))
		defer b.Close()
		ask := func(s *lookup.Session, want int) {
			t.Helper()
			s.Ask(t.Context(), question, always)
			if got := len(n.take()); got != want {
				t.Errorf("questions = %d, want %d", got, want)
			}
		}
		ask(a, 1)
		ask(b, 0)
		a.Keep(func(lookup.Question) bool { return false })
		ask(b, 0) // b still has it
		b.Keep(func(q lookup.Question) bool { return q == question })
		ask(b, 0)
		a.Close()
		a.Close()
		ask(b, 0)
		b.Keep(func(lookup.Question) bool { return false })
		ask(b, 1)
		if r := a.Ask(t.Context(), question, always); !errors.Is(r.Err, context.Canceled) {
			t.Errorf("Ask after Close = %v, want %v", r.Err, context.Canceled)
		}
	})
}

func TestWhoStopsWaitingLastEndsTheLookUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan struct{})
		n := &fakeNet{handlers: map[string]handler{"s:53": func(ctx context.Context, _ lookup.Question) (*dns.Msg, error) {
			<-ctx.Done()
			time.Sleep(time.Second) // it takes its time
			close(ended)
			return nil, ctx.Err()
		}}}
		sv := servers("s:53")
		sv.Attempts = 1
		c := &lookup.Cache{Exchange: n.exchange}
		s := c.Open(sv)
		defer s.Close()
		first, cancelFirst := context.WithCancel(t.Context())
		second, cancelSecond := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { s.Ask(first, question, always) })
		wg.Go(func() {
			if r := s.Ask(second, question, always); !errors.Is(r.Err, context.Canceled) {
				t.Errorf("Ask = %v, want %v", r.Err, context.Canceled)
			}
			select {
			case <-ended:
			default:
				t.Error("Ask returned before the look-up ended")
			}
		})
		synctest.Wait()
		cancelFirst()
		synctest.Wait()
		select {
		case <-ended:
			t.Error("the look-up ended while somebody waited for it")
		default:
		}
		cancelSecond()
		wg.Wait()
	})
}

// A look-up that was given up says nothing about the name.
func TestAbandonedLookUpLeavesNoResult(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := slowNet(t, "a.test. 60 IN A 10.0.0.1")
		c := &lookup.Cache{Exchange: n.exchange}
		s := c.Open(servers("s:53"))
		defer s.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if r := s.Ask(ctx, question, always); !errors.Is(r.Err, context.DeadlineExceeded) {
			t.Errorf("Ask = %v, want %v", r.Err, context.DeadlineExceeded)
		}
		if r := s.Ask(t.Context(), question, always); r.Err != nil {
			t.Errorf("Ask = %v, want an answer", r.Err)
		}
	})
}
