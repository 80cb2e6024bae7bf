package endpoints_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/attributes"
	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/status"
)

func TestPicksRotateOverReadyEndpoints(t *testing.T) {
	h := newHarness(t)
	h.resolve("a:1", "b:1", "c:1")
	h.wantStates(connecting)
	h.set(connecting, "a:1", "b:1", "c:1")
	h.set(ready, "a:1", "b:1", "c:1")
	h.wantStates(ready, ready, ready)
	got := h.picks(6)
	if slices.Sort(got[:3]); !slices.Equal(got[:3], []string{"a:1", "b:1", "c:1"}) {
		t.Errorf("three picks went to %q, want each endpoint once", got[:3])
	}
	h = newHarness(t)
	h.resolve("a:1", "b:1", "c:1")
	h.set(ready, "a:1", "b:1", "c:1")
	got = h.picks(9)
	if !slices.Equal(got[:3], got[3:6]) || !slices.Equal(got[:3], got[6:]) {
		t.Errorf("nine picks went to %q, want one order three times", got)
	}
}

func TestLostEndpointIsPublished(t *testing.T) {
	h := newHarness(t)
	h.resolve("a:1", "b:1")
	h.set(ready, "a:1", "b:1")
	h.TakeStates()
	before := h.SubConn("a:1").Connects()
	h.set(idle, "a:1")
	h.wantStates(ready) // wakes RPCs that were parked on a:1
	if got := h.picks(4); slices.Contains(got, "a:1") {
		t.Errorf("picks = %q, want none on the lost a:1", got)
	}
	if got, want := h.SubConn("a:1").Connects(), before+1; got != want {
		t.Errorf("Connect calls after the loss = %d, want %d", got, want)
	}
	h.set(idle, "b:1")
	h.wantStates(connecting) // a:1 is already on its way
	h.set(ready, "b:1")
	h.wantStates(ready)
}

func TestDistinctStatesAreAllPublished(t *testing.T) {
	h := newHarness(t)
	h.resolve("a:1")
	h.set(connecting, "a:1")
	h.set(ready, "a:1")
	h.set(idle, "a:1")
	h.wantStates(connecting, ready, idle, connecting)
}

func TestTransientFailureIsSticky(t *testing.T) {
	h := newHarness(t)
	h.resolve("a:1")
	h.set(failure, "a:1")
	h.wantStates(connecting, failure)
	if err := h.pickErr(); !errors.Is(err, errRefused) {
		t.Errorf("Pick() = %v, want %v", err, errRefused)
	}
	h.set(idle, "a:1")
	if got := h.SubConn("a:1").Connects(); got != 2 {
		t.Errorf("Connect calls = %d, want a second one after the backoff", got)
	}
	h.set(connecting, "a:1")
	h.wantStates() // still failing
	h.set(ready, "a:1")
	h.wantStates(connecting, ready)
}

func TestAggregation(t *testing.T) {
	h := newHarness(t)
	h.resolve("a:1", "b:1")
	h.set(failure, "a:1")
	h.wantStates(connecting) // b:1 may still come
	h.set(failure, "b:1")
	h.wantStates(failure)
	h.set(ready, "a:1")
	h.wantStates(connecting, ready)
	h.set(ready, "b:1")
	h.wantStates(ready)
}

func TestEveryResolverUpdateThatChangesSomethingIsPublishedOnce(t *testing.T) {
	h := newHarness(t)
	h.resolve("a:1")
	h.resolve("a:1", "b:1")
	h.resolve("a:1", "b:1")
	h.wantStates(connecting, connecting) // the third was the second again
	h.set(ready, "a:1", "b:1")
	h.TakeStates()
	h.resolve("c:1", "d:1", "e:1")
	h.wantStates(connecting)
}

func TestFailingRPCsSeeEveryBackendsError(t *testing.T) {
	h := newHarness(t)
	h.resolve("a:1", "b:1")
	h.set(failure, "a:1", "b:1")
	seen := h.pickErr().Error() + h.pickErr().Error()
	if !strings.Contains(seen, "a:1") || !strings.Contains(seen, "b:1") {
		t.Errorf("two picks failed with %q, want both backends named", seen)
	}
}

func TestRepeatedFailuresWakeWaitingRPCsOncePerSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		h.resolve("a:1")
		h.set(failure, "a:1")
		h.TakeStates()
		for range 100 {
			h.set(idle, "a:1")
			h.set(connecting, "a:1")
			h.SubConn("a:1").Set(failure, errors.New("newest"))
		}
		h.wantStates()
		if got := h.pickErr().Error(); got != "newest" {
			t.Errorf("Pick() = %q, want the newest error all the same", got)
		}
		time.Sleep(time.Second)
		h.set(failure, "a:1")
		h.wantStates(failure)
	})
}

// The second error within a second is not lost: it reaches waiting RPCs when the
// second is over.
func TestTheLastOfSeveralFailuresReachesWaitingRPCs(t *testing.T) {
	for name, tt := range map[string]struct {
		meanwhile func(*harness)
		want      []connectivity.State // published when the second is over
	}{
		"nothing else happens":                         {func(*harness) {}, []connectivity.State{failure}},
		"a resolver error, which is published at once": {func(h *harness) { h.balancer.ResolverError(errors.New("registry is down")) }, nil},
		"the endpoint connects":                        {func(h *harness) { h.set(ready, "a:1") }, nil},
		"the policy is closed":                         {func(h *harness) { h.balancer.Close() }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHarness(t)
				h.resolve("a:1")
				h.SubConn("a:1").Set(failure, errors.New("first"))
				for _, text := range []string{"second", "third"} {
					time.Sleep(time.Second / 4)
					h.set(idle, "a:1")
					h.set(connecting, "a:1")
					h.SubConn("a:1").Set(failure, errors.New(text))
				}
				h.wantStates(connecting, failure)
				tt.meanwhile(h)
				h.TakeStates()
				time.Sleep(time.Second/2 - time.Nanosecond)
				synctest.Wait()
				h.wantStates()
				time.Sleep(time.Nanosecond)
				synctest.Wait()
				h.wantStates(tt.want...)
				time.Sleep(time.Hour)
				synctest.Wait()
				h.wantStates()
			})
		})
	}
}

// A stream of failures is published at each interval, to the last.
func TestAStreamOfFailuresIsPublishedOncePerInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		h.resolve("a:1")
		h.set(failure, "a:1")
		h.TakeStates()
		for range 100 { // for ten seconds
			time.Sleep(time.Second / 10)
			h.set(idle, "a:1")
			h.set(failure, "a:1")
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := len(h.TakeStates()); got < 10 || got > 11 {
			t.Errorf("publications = %d, want one each second and the last", got)
		}
	})
}

func TestEmptyListFails(t *testing.T) {
	for name, list := range map[string][]resolver.Endpoint{
		"no endpoints":                nil,
		"an endpoint without address": {{}},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t)
			h.resolve("a:1")
			h.set(ready, "a:1")
			h.TakeStates()
			if err := h.update(list...); !errors.Is(err, balancer.ErrBadResolverState) {
				t.Errorf("UpdateClientConnState() = %v, want ErrBadResolverState", err)
			}
			h.wantStates(failure)
			if !h.SubConn("a:1").IsShutdown() {
				t.Error("the old SubConn was not shut down")
			}
			if err := h.pickErr(); err.Error() != "no children to pick from" {
				t.Errorf("Pick() = %q, want grpc-go's text", err)
			}
			h.balancer.ResolverError(errors.New("registry is down"))
			if got, want := h.pickErr().Error(), "no children to pick from; name resolver error: registry is down"; got != want {
				t.Errorf("Pick() = %q, want %q", got, want)
			}
			h.resolve("a:1")
			h.wantStates(failure, connecting)
		})
	}
}

func TestEndpointWithoutAddressIsIgnoredBesideOthers(t *testing.T) {
	h := newHarness(t)
	if err := h.update(resolver.Endpoint{}, multi("a:1")); err != nil {
		t.Errorf("UpdateClientConnState() = %v, want nil", err)
	}
	h.set(failure, "a:1")
	h.wantStates(connecting, failure)
}

func TestResolverErrorShowsOnlyWhileFailing(t *testing.T) {
	h := newHarness(t)
	h.resolve("a:1")
	h.set(ready, "a:1")
	h.TakeStates()
	h.balancer.ResolverError(errors.New("registry is down"))
	h.wantStates()
	h.set(idle, "a:1")
	h.set(failure, "a:1")
	h.wantStates(idle, connecting, failure)
	if got, want := h.pickErr().Error(), "a:1: connection refused; name resolver error: registry is down"; got != want {
		t.Errorf("Pick() = %q, want %q", got, want)
	}
	h.resolve("a:1")
	h.wantStates(failure)
	if got, want := h.pickErr().Error(), "a:1: connection refused"; got != want {
		t.Errorf("Pick() after the resolver recovered = %q, want %q", got, want)
	}
}

func TestResolverStatusDoesNotEndWaitForReadyRPCs(t *testing.T) {
	h := newHarness(t)
	h.balancer.ResolverError(status.Error(codes.Unavailable, "registry is down"))
	if s, ok := status.FromError(h.pickErr()); ok {
		t.Errorf("Pick() has status %v, want a plain error", s)
	}
}

func TestResolverErrorBeforeAnyList(t *testing.T) {
	h := newHarness(t)
	h.balancer.ResolverError(errors.New("registry is down"))
	h.wantStates(failure)
}

func TestDuplicatesCountOnce(t *testing.T) {
	h := newHarness(t)
	if err := h.update(multi("a:1", "b:1"), multi("a:1"), multi("b:1", "a:1"), multi("a:1", "a:1")); err != nil {
		t.Fatal(err)
	}
	if got := len(h.SubConns()); got != 2 {
		t.Errorf("SubConns = %d, want one for {a:1 b:1} and one for {a:1}", got)
	}
}

func TestIdenticalUpdateDoesNothing(t *testing.T) {
	h := newHarness(t)
	h.resolve("a:1", "b:1", "c:1")
	h.set(ready, "a:1", "b:1", "c:1")
	h.TakeStates()
	state := balancer.ClientConnState{ResolverState: resolver.State{Endpoints: single("a:1", "b:1", "c:1")}}
	allocs := testing.AllocsPerRun(100, func() {
		if err := h.balancer.UpdateClientConnState(state); err != nil {
			t.Error(err)
		}
	})
	if allocs != 0 {
		t.Errorf("allocations = %v, want 0", allocs)
	}
	h.wantStates()
	if got := len(h.SubConns()); got != 3 {
		t.Errorf("SubConns = %d, want 3", got)
	}
}

// A resolver may build each list in the memory of the last.
func TestAChangeInTheResolversOwnSlicesIsNoticed(t *testing.T) {
	for name, tt := range map[string]struct {
		first  resolver.Endpoint
		change func(list []resolver.Endpoint)
	}{
		"an endpoint":                      {multi("a:1"), func(list []resolver.Endpoint) { list[0] = multi("d:1") }},
		"an address":                       {multi("a:1"), func(list []resolver.Endpoint) { list[0].Addresses[0] = resolver.Address{Addr: "d:1"} }},
		"a field of an address":            {multi("a:1"), func(list []resolver.Endpoint) { list[0].Addresses[0].Addr = "d:1" }},
		"the second address":               {multi("b:1", "a:1"), func(list []resolver.Endpoint) { list[0].Addresses[1].Addr = "d:1" }},
		"an address more, in its capacity": {resolver.Endpoint{Addresses: multi("a:1", "d:1").Addresses[:1]}, func(list []resolver.Endpoint) { list[0].Addresses = list[0].Addresses[:2] }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHarness(t)
				list := []resolver.Endpoint{tt.first, multi("z:1")}
				if err := h.update(list...); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second) // until each address is being tried
				synctest.Wait()
				h.set(ready, "a:1")
				old := h.SubConn("a:1")
				tt.change(list)
				if err := h.update(list...); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
				synctest.Wait()
				if h.SubConn("d:1") == nil || !old.IsShutdown() {
					t.Error("a change made in the resolver's own slices was not noticed")
				}
			})
		})
	}
}

// What the resolver does with its slices between two updates changes nothing:
// not what is tried next, and not whether the next update is the last one again.
func TestTheEngineKeepsNothingOfTheResolvers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		list := []resolver.Endpoint{multi("a:1", "b:1")}
		if err := h.update(list...); err != nil {
			t.Fatal(err)
		}
		list[0].Addresses[1].Addr = "x:1"
		h.set(failure, "a:1")
		h.wantStarted("a:1", "b:1")
		h.TakeStates()
		if err := h.update(multi("a:1", "b:1")); err != nil {
			t.Fatal(err)
		}
		h.wantStates()
	})
}

func TestChangedUpdateKeepsWhatStays(t *testing.T) {
	h := newHarness(t)
	h.resolve("a:1", "b:1")
	h.set(ready, "a:1", "b:1")
	h.TakeStates()
	h.resolve("b:1", "c:1")
	h.wantStates(ready)
	if got, want := fmt.Sprint(h.picks(2)), "[b:1 b:1]"; got != want {
		t.Errorf("picks = %v, want %v", got, want)
	}
	if !h.SubConn("a:1").IsShutdown() || h.SubConn("b:1").IsShutdown() {
		t.Error("want a:1 shut down and b:1 kept")
	}
	if got := len(h.SubConns()); got != 3 {
		t.Errorf("SubConns = %d, want 3", got)
	}
}

func TestAttributes(t *testing.T) {
	with := func(e, a *attributes.Attributes) resolver.Endpoint {
		return resolver.Endpoint{Attributes: e, Addresses: []resolver.Address{{Addr: "a:1", Attributes: a}}}
	}
	uncomparable := attributes.New("k", map[string]int{})
	for name, tt := range map[string]struct {
		change resolver.Endpoint
		want   []string
	}{
		"of the endpoint keep the connection":    {with(uncomparable, nil), []string{"a:1"}},
		"of the address replace the connection":  {with(nil, attributes.New("k", 2)), []string{"a:1", "a:1"}},
		"of the address that are equal, keep it": {with(nil, nil), []string{"a:1"}},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t)
			if err := h.update(with(nil, nil)); err != nil {
				t.Fatal(err)
			}
			h.set(ready, "a:1")
			if err := h.update(tt.change); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, sc := range h.SubConns() {
				got = append(got, sc.Addr.Addr)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("SubConns created (-want +got):\n%s", diff)
			}
		})
	}
}

func TestUnhealthyEndpointGetsNoRPCs(t *testing.T) {
	h := newHarness(t)
	h.ManualHealth = true
	h.resolve("a:1")
	h.set(ready, "a:1")
	h.wantStates(connecting) // until its health is known
	sc := h.SubConn("a:1")
	sc.SetHealth(ready, nil)
	sc.SetHealth(failure, errors.New("NOT_SERVING"))
	h.wantStates(ready, failure)
	if got, want := h.pickErr().Error(), "pickfirst: health check failure: NOT_SERVING"; got != want {
		t.Errorf("Pick() = %q, want %q", got, want)
	}
	if sc.IsShutdown() || sc.Connects() != 1 {
		t.Error("want the connection left alone")
	}
	sc.SetHealth(ready, nil)
	h.wantStates(ready)
}

func TestCloseShutsDownAndPublishesNothing(t *testing.T) {
	h := newHarness(t)
	h.resolve("a:1", "b:1")
	h.set(ready, "a:1")
	h.TakeStates()
	h.balancer.Close()
	h.wantStates()
	for _, sc := range h.SubConns() {
		if !sc.IsShutdown() {
			t.Errorf("%v was not shut down", sc)
		}
	}
}
