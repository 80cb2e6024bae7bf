package watch_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/attributes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/grpclog"
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
		list := endpoints("c b+a{1}")
		own := attributes.New("v", "own")
		list[0].Addresses[0].BalancerAttributes = own
		src.steps <- step{answer: watch.Snapshot{Endpoints: list}}
		expect(t, cc, "list b+a{1} c")
		var flat []string
		for _, a := range cc.last.Addresses {
			flat = append(flat, fmt.Sprint(a.Addr, a.BalancerAttributes))
			if a.Attributes != nil {
				t.Errorf("address %s has attributes %v: they would replace its connection", a.Addr, a.Attributes)
			}
		}
		if want := []string{`b{"v": "1" }`, `a{"v": "1" }`, `c{}`}; !slices.Equal(flat, want) {
			t.Errorf("addresses with the attributes of their endpoints = %q, want %q", flat, want)
		}
		for _, a := range slices.Concat(cc.last.Endpoints[0].Addresses, cc.last.Endpoints[1].Addresses) {
			if want := map[string]*attributes.Attributes{"c": own}[a.Addr]; a.BalancerAttributes != want {
				t.Errorf("address %s inside its endpoint has balancer attributes %v, want %v", a.Addr, a.BalancerAttributes, want)
			}
		}
	})
}

// To policies that compare addresses with ==, equal attributes behind another
// pointer are another address, whose connection is another one.
func TestEqualAttributesStayTheSame(t *testing.T) {
	for name, rank := range map[string]func(resolver.Endpoint) float64{
		"by address": nil,
		"by rank":    func(e resolver.Endpoint) float64 { return -float64(e.Addresses[0].Addr[0]) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				src, cc := newFakeSource(), newFakeChannel()
				w := watch.Start(cc, src, watch.Config{Name: "fake: x", Grace: time.Minute, Logger: grpclog.Component("watch-test"), Rank: rank})
				t.Cleanup(w.Close)
				kept := func(shown string) string {
					before, given := cc.last.Addresses, endpoints(shown)
					was := slices.Clone(given)
					src.steps <- step{answer: watch.Snapshot{Endpoints: given}}
					synctest.Wait()
					for i, e := range given {
						if e.Attributes != was[i].Attributes {
							t.Errorf("endpoint %d of the source's own list has been given other attributes", i)
						}
					}
					var same []string
					for _, a := range cc.last.Addresses {
						if slices.Contains(before, a) {
							same = append(same, a.Addr)
						}
					}
					slices.Sort(same)
					return strings.Join(same, " ")
				}
				kept("a{1} b{1} d{1} e+f{1} g")
				for _, tt := range []struct{ answer, want string }{
					{"a{1} b{1} d{1} e+f{1} g h", "a b d e f g"},
					{"g f+e{1} d{1} b{2} a{1}", "a d e f g"},
					{"a0{1} a{1} b{2} c{1} d e+f{1} g", "a b e f g"},
					{"", "a a0 b c d e f g"},
					{"b{2} c{1} g{3}", "b c"},
				} {
					if got := kept(tt.answer); got != tt.want {
						t.Errorf("addresses that stay the same in %q = %s, want %s", tt.answer, got, tt.want)
					}
				}
			})
		})
	}
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
