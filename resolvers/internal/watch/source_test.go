package watch_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/attributes"
	"google.golang.org/grpc/grpclog"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/serviceconfig"

	"github.com/evenkeel-grpc/evenkeel/resolvers/internal/watch"
)

// pollingSource is a source that also wants to hear of ResolveNow and of its
// end.
type pollingSource struct {
	*fakeSource
	nudged, closed int
}

func (s *pollingSource) ResolveNow() { s.nudged++ }

func (s *pollingSource) Close() error {
	s.closed++
	return errors.New("an error that nobody can do anything about")
}

func TestSourceThatRunsHearsOfResolveNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &pollingSource{fakeSource: newFakeSource()}
		w, _ := start(t, src)
		src.answers("a")
		w.ResolveNow(resolver.ResolveNowOptions{})
		synctest.Wait()
		if src.nudged != 1 {
			t.Errorf("calls of the source's ResolveNow = %d, want 1", src.nudged)
		}
		src.fails("down") // now the wait is the watcher's
		w.ResolveNow(resolver.ResolveNowOptions{})
		synctest.Wait()
		if src.nudged != 1 {
			t.Errorf("calls while the source does not run = %d, want 0", src.nudged-1)
		}
	})
}

func TestSourceIsClosedOnceAfterItsLastRun(t *testing.T) {
	for name, failed := range map[string]bool{"while it runs": false, "between two runs": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				src := &pollingSource{fakeSource: newFakeSource()}
				src.linger = time.Second
				w, _ := start(t, src)
				src.answers("a")
				if failed {
					src.fails("down")
				}
				if src.closed != 0 {
					t.Error("the source was closed before the watcher")
				}
				w.Close()
				w.Close()
				if src.closed != 1 {
					t.Errorf("the source was closed %d times, want once", src.closed)
				}
			})
		})
	}
}

func TestServiceConfigAndAttributesGoWithTheList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newFakeSource()
		_, cc := start(t, src)
		one, two := &serviceconfig.ParseResult{}, &serviceconfig.ParseResult{}
		attrs := attributes.New("k", "v")
		answer := func(shown string, sc *serviceconfig.ParseResult, a *attributes.Attributes) {
			src.steps <- step{answer: watch.Snapshot{Endpoints: endpoints(shown), ServiceConfig: sc, Attributes: a}}
			synctest.Wait()
		}
		check := func(sc *serviceconfig.ParseResult, a *attributes.Attributes) {
			t.Helper()
			if cc.last.ServiceConfig != sc || cc.last.Attributes != a {
				t.Errorf("the channel got %p and %v, want %p and %v", cc.last.ServiceConfig, cc.last.Attributes, sc, a)
			}
		}
		answer("a", one, nil)
		expect(t, cc, "list a")
		check(one, nil)
		answer("a", one, nil)
		expect(t, cc) // nothing changed
		answer("a", two, nil)
		expect(t, cc, "list a")
		answer("a", two, attrs)
		expect(t, cc, "list a")
		check(two, attrs)
		answer("a", two, attributes.New("k", "v"))
		expect(t, cc) // equal is enough
		answer("", two, attrs)
		expect(t, cc, "list ") // not empty: the policy finds all in the attributes

		answer("a", two, nil)
		answer("", nil, nil)
		expect(t, cc, "list a")
		time.Sleep(time.Minute)
		expect(t, cc, "list ", noEndpoints)
		check(two, nil)
	})
}

func TestRankDecidesTheOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newFakeSource()
		cc := newFakeChannel()
		w := watch.Start(cc, src, watch.Config{
			Name:   "fake: x",
			Logger: grpclog.Component("watch-test"),
			Rank:   func(e resolver.Endpoint) float64 { return -float64(e.Addresses[0].Addr[0] / 2) },
		})
		t.Cleanup(w.Close)
		src.answers("d c b a b e")
		expect(t, cc, "list d e b c a")
		src.answers("e d c b a")
		expect(t, cc)
	})
}

// placed attributes are equal wherever the endpoint is placed, as those of a
// source are that gives the order of its list.
type placed float64

func (placed) Equal(any) bool { return true }

func TestRankIsThatOfTheLastAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, cc := newFakeSource(), newFakeChannel()
		w := watch.Start(cc, src, watch.Config{
			Name:   "fake: x",
			Logger: grpclog.Component("watch-test"),
			Rank: func(e resolver.Endpoint) float64 {
				p, _ := e.Attributes.Value("place").(placed)
				return float64(p)
			},
		})
		t.Cleanup(w.Close)
		for _, shown := range []string{"a b c", "c a b"} {
			list := endpoints(shown)
			for i := range list {
				list[i].Attributes = attributes.New("place", placed(i))
			}
			src.steps <- step{answer: watch.Snapshot{Endpoints: list}}
			expect(t, cc, "list "+shown)
		}
	})
}

func TestConfiguredWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &broken{}
		w := watch.Start(newFakeChannel(), src, watch.Config{
			Name:               "fake: x",
			Logger:             grpclog.Component("watch-test"),
			MinBackoff:         time.Second,
			MaxBackoff:         time.Minute,
			ResolveNowInterval: 20 * time.Second,
		})
		t.Cleanup(w.Close)
		time.Sleep(time.Hour)
		runs := src.starts()
		if got := runs[1].Sub(runs[0]); got < time.Second/2 || got > time.Second*3/2+1 {
			t.Errorf("first wait = %v, want 1 s plus or minus half", got)
		}
		if n := len(runs); n < 40 || n > 130 {
			t.Errorf("runs in an hour = %d, want about one a minute", n)
		}
		for range 600 {
			w.ResolveNow(resolver.ResolveNowOptions{})
			time.Sleep(time.Second)
		}
		if n := len(src.starts()) - len(runs); n < 25 || n > 32 {
			t.Errorf("runs in ten minutes of ResolveNow calls = %d, want one each 20 s", n)
		}
	})
}

var _ watch.Hastener = (*pollingSource)(nil)

// hasty is a source that has an error before its answer.
type hasty struct {
	*fakeSource
	after time.Duration
	ended int // calls of Early
}

func (s *hasty) Early(ctx context.Context) error {
	defer func() { s.ended++ }()
	select {
	case <-time.After(s.after):
		return errors.New("no sign of life")
	case <-ctx.Done():
		return ctx.Err()
	}
}

func TestEarlyErrorIsReportedIfThereIsNoAnswerYet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &hasty{fakeSource: newFakeSource(), after: time.Second}
		_, cc := start(t, src)
		time.Sleep(time.Second)
		expect(t, cc, "error fake: x: no sign of life")
		src.answers("a")
		expect(t, cc, "list a")
	})
}

func TestEarlyEndsWithTheFirstAnswerOrFailure(t *testing.T) {
	for name, first := range map[string]func(*hasty){
		"answer":  func(s *hasty) { s.answers("a") },
		"failure": func(s *hasty) { s.fails("down") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				src := &hasty{fakeSource: newFakeSource(), after: time.Second}
				_, cc := start(t, src)
				first(src)
				if src.ended != 1 {
					t.Error("Early still runs")
				}
				cc.take()
				time.Sleep(time.Minute)
				src.answers("b")
				src.fails("down")
				expect(t, cc, "list b", "error fake: x: down")
				if src.ended != 1 {
					t.Errorf("Early ran %d times, want once", src.ended)
				}
			})
		})
	}
}
