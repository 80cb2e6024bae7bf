package parity_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/attributes"
	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/balancer/endpointsharding"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/resolver"
)

// The E group: round_robin. E2, E11 and E12 are defects.

func TestE1WhatMakesAnEndpointAnother(t *testing.T) {
	named := multi("a:1")
	named.Addresses[0].ServerName = "x"
	marked := multi("a:1")
	marked.Attributes = attributes.New("k", "v")
	for name, tt := range map[string]struct {
		list []resolver.Endpoint
		want int
	}{
		"the order of addresses does not": {[]resolver.Endpoint{multi("a:1", "b:1"), multi("b:1", "a:1")}, 1},
		"another address does":            {[]resolver.Endpoint{multi("a:1", "b:1"), multi("a:1")}, 2},
		"the server name does not":        {[]resolver.Endpoint{multi("a:1"), named}, 1},
		"attributes do not":               {[]resolver.Endpoint{multi("a:1"), marked}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, roundRobin, func(h *harness) {
				h.resolve(tt.list...)
				if got := len(h.SubConns()); got != tt.want {
					h.Errorf("endpoints = %d, want %d", got, tt.want)
				}
			})
		})
	}
}

// For grpc-go the same address twice is another endpoint; for us an endpoint is
// its set of addresses.
func TestE1AddressTwiceInAnEndpoint(t *testing.T) {
	onBoth(t, roundRobin, func(h *harness) {
		h.resolve(multi("a:1"), multi("a:1", "a:1"))
		if got, want := len(h.SubConns()), either(h, 2, 1); got != want {
			h.Errorf("endpoints = %d, want %d", got, want)
		}
	})
}

// grpc-go #8438: clients that start together must not all connect to the same
// backend first.
func TestE3FirstConnectionIsRandom(t *testing.T) {
	onBoth(t, roundRobin, func(h *harness) {
		first := map[string]int{}
		list := singles("a:1", "b:1", "c:1")
		for range 100 { // One of three missing by chance: 1 in 10^17.
			one := h.another()
			one.resolve(list...)
			first[one.SubConns()[0].Addr.Addr]++
			one.close()
		}
		if len(first) != 3 {
			h.Errorf("first connections = %v, want each of three endpoints some of the time", first)
		}
		if list[0].Addresses[0].Addr != "a:1" || list[2].Addresses[0].Addr != "c:1" {
			h.Error("the resolver's own list was changed")
		}
	})
}

func TestE4KeptEndpointGetsTheUpdate(t *testing.T) {
	onBoth(t, roundRobin, func(h *harness) {
		h.resolve(multi("a:1", "b:1"))
		h.set(failure, "a:1")
		h.set(ready, "b:1")
		h.TakeCalls()
		h.resolve(multi("b:1", "a:1")) // the same, in another order
		h.wantCalls("now READY")
		h.set(idle, "b:1")
		h.wantCalls("now IDLE", "now CONNECTING", "connect b:1") // first now
	})
}

// What an update says again about an endpoint restarts its attempts in grpc-go.
// Ours goes on with them.
func TestE4RepeatedUpdate(t *testing.T) {
	onBoth(t, roundRobin, func(h *harness) {
		h.resolve(multi("a:1", "b:1"))
		h.set(connecting, "a:1")
		h.wait(200 * time.Millisecond)
		h.forget()
		h.resolve(multi("a:1", "b:1"))
		if h.grpcGo {
			h.wantStates(connecting)
		} else {
			h.wantStates()
		}
		h.wait(50 * time.Millisecond)
		if got, want := h.SubConn("b:1") != nil, either(h, false, true); got != want {
			h.Errorf("b:1 is tried 250 ms after a:1: %v, want %v", got, want)
		}
	})
}

func TestE5NewEndpointsBeforeOldOnesClose(t *testing.T) {
	onBoth(t, roundRobin, func(h *harness) {
		h.resolve(singles("a:1", "b:1")...)
		h.set(ready, "a:1", "b:1")
		h.forget()
		h.resolve(singles("b:1", "c:1")...)
		h.wantCalls("new c:1", "connect c:1", "shutdown a:1", "now READY")
		h.wantPicks("b:1", "b:1")
	})
}

func TestE6NoEndpoints(t *testing.T) {
	for name, s := range map[string]resolver.State{
		"nothing": {}, "addresses only": {Addresses: multi("a:1").Addresses},
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, roundRobin, func(h *harness) {
				h.resolve(singles("a:1")...)
				h.set(ready, "a:1")
				h.forget()
				if err := h.update(s); !errors.Is(err, balancer.ErrBadResolverState) {
					h.Errorf("UpdateClientConnState() = %v, want ErrBadResolverState", err)
				}
				h.wantCalls("shutdown a:1", "now TRANSIENT_FAILURE")
				h.wantPicks("no children to pick from")
				h.resolve(singles("a:1")...)
				h.wantCalls("new a:1", "connect a:1", "now CONNECTING")
			})
		})
	}
}

func TestE7OneAnswerToAnUpdate(t *testing.T) {
	onBoth(t, roundRobin, func(h *harness) {
		h.resolve(singles("a:1", "b:1")...)
		h.wantStates(connecting)
		h.set(ready, "a:1", "b:1")
		h.wantStates(ready, ready)
		h.resolve(singles("c:1", "d:1", "e:1")...)
		h.wantStates(connecting)
	})
}

// grpc-go also answers what changes nothing, and wakes every waiting RPC for it.
func TestE7AnswerToWhatChangesNothing(t *testing.T) {
	onBoth(t, roundRobin, func(h *harness) {
		h.resolve(singles("a:1")...)
		h.set(ready, "a:1")
		h.forget()
		h.exitIdle()
		h.resolverError("down")
		if h.grpcGo {
			h.wantStates(ready, ready)
		} else {
			h.wantStates()
		}
		h.wantPicks("a:1")
	})
}

func TestE8Aggregation(t *testing.T) {
	for name, tt := range map[string]struct {
		do   func(h *harness)
		want connectivity.State
	}{
		"READY before all":                  {func(h *harness) { h.set(failure, "a:1"); h.set(ready, "b:1") }, ready},
		"CONNECTING before failures":        {func(h *harness) { h.set(failure, "a:1") }, connecting},
		"failing when all do":               {func(h *harness) { h.set(failure, "a:1", "b:1") }, failure},
		"what was lost is on its way again": {func(h *harness) { h.set(failure, "a:1"); h.set(ready, "b:1"); h.set(idle, "b:1") }, connecting},
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, roundRobin, func(h *harness) {
				h.resolve(singles("a:1", "b:1")...)
				tt.do(h)
				if got := h.State().ConnectivityState; got != tt.want {
					h.Errorf("state = %v, want %v", got, tt.want)
				}
			})
		})
	}
}

func TestE8IdleIsAStateOfItsOwn(t *testing.T) {
	onBoth(t, roundRobin, func(h *harness) {
		h.resolve(singles("a:1", "b:1")...)
		h.set(failure, "b:1")
		h.set(ready, "a:1")
		h.forget()
		h.set(idle, "a:1")
		h.wantStates(idle, connecting)
	})
}

func TestE9PicksAreOfTheAggregateStateOnly(t *testing.T) {
	onBoth(t, roundRobin, func(h *harness) {
		h.resolve(singles("a:1", "b:1", "c:1")...)
		h.set(failure, "a:1")
		h.wantPicks(parking, parking, parking)
		h.set(ready, "b:1")
		h.wantPicks("b:1", "b:1", "b:1")
		h.set(idle, "b:1")
		h.set(failure, "b:1", "c:1")
		h.wantPicks("a:1 refused", "b:1 refused", "c:1 refused") // each in turn
	})
}

// grpc-go shows the error of every endpoint, which costs O(N) for each failure.
func TestE9ErrorsOfManyEndpoints(t *testing.T) {
	onBoth(t, roundRobin, func(h *harness) {
		var addrs []string
		for i := range 20 {
			addrs = append(addrs, fmt.Sprint("e", i, ":1"))
		}
		h.resolve(singles(addrs...)...)
		h.set(failure, addrs...)
		seen := map[string]bool{}
		for range 100 {
			seen[h.pick()] = true
		}
		if want := either(h, 20, 16); len(seen) != want {
			h.Errorf("different errors = %d, want %d", len(seen), want)
		}
	})
}

// Each publication wakes every RPC that waits.
func TestE9RepeatedFailures(t *testing.T) {
	onBoth(t, roundRobin, func(h *harness) {
		h.resolve(singles("a:1")...)
		h.set(failure, "a:1")
		h.forget()
		for range 10 {
			h.set(idle, "a:1")
			h.SubConn("a:1").Set(failure, errors.New("newest"))
			h.settle()
		}
		if got, want := len(h.TakeStates()), either(h, 10, 0); got != want {
			h.Errorf("publications for 10 failures within a second = %d, want %d", got, want)
		}
		h.wantPicks("newest") // RPCs that start now see it all the same.
		h.wait(time.Second)
		h.set(idle, "a:1")
		h.set(failure, "a:1")
		h.wantStates(failure)
	})
}

func TestE7UpdateThatRepeatsTheLast(t *testing.T) {
	onBoth(t, roundRobin, func(h *harness) {
		h.resolve(singles("a:1")...)
		h.set(ready, "a:1")
		h.forget()
		h.resolve(singles("a:1")...)
		if h.grpcGo {
			h.wantStates(ready)
		} else {
			h.wantStates()
		}
	})
}

func TestE10LostConnectionIsReestablishedAtOnce(t *testing.T) {
	onBoth(t, roundRobin, func(h *harness) {
		h.resolve(singles("a:1", "b:1")...)
		h.set(ready, "a:1", "b:1")
		h.forget()
		h.set(idle, "a:1")
		if calls := h.TakeCalls(); !slices.Contains(calls, "connect a:1") {
			h.Errorf("the policy did %q, want a:1 connected", calls)
		}
		h.wantPicks("b:1", "b:1")
		// A loss that Close overtakes is nobody's any more.
		h.balancer.Close()
		h.settle()
		h.forget()
		h.set(idle, "b:1")
		h.wantCalls()
	})
}

func TestE13CloseShutsDownEachConnectionOnce(t *testing.T) {
	onBoth(t, roundRobin, func(h *harness) {
		h.resolve(multi("a:1"), multi("b:1", "c:1"))
		h.set(ready, "a:1")
		h.set(failure, "b:1")
		h.forget()
		h.balancer.Close()
		h.settle()
		got := h.TakeCalls()
		if slices.Sort(got); !slices.Equal(got, []string{"shutdown a:1", "shutdown b:1", "shutdown c:1"}) {
			h.Errorf("Close did %q, want each connection shut down once and no more", got)
		}
	})
}

// ChildStatesFromPicker knows pickers of grpc-go's endpointsharding only. grpc-go
// uses it in policies of its own that have such a child themselves.
func TestE15ChildStatesFromPicker(t *testing.T) {
	onBoth(t, roundRobin, func(h *harness) {
		h.resolve(singles("a:1", "b:1")...)
		h.set(ready, "a:1")
		got := endpointsharding.ChildStatesFromPicker(h.State().Picker)
		if want := either(h, 2, 0); len(got) != want {
			h.Errorf("ChildStatesFromPicker() = %v, want %d", got, want)
		}
	})
}

func TestE17SteadyStateIsAnExactTurn(t *testing.T) {
	onBoth(t, roundRobin, func(h *harness) {
		h.resolve(singles("a:1", "b:1")...)
		h.set(ready, "a:1", "b:1")
		picks := map[string]int{}
		for range 10 {
			picks[h.pick()]++
		}
		if want := map[string]int{"a:1": 5, "b:1": 5}; !maps.Equal(picks, want) {
			h.Errorf("picks = %v, want %v", picks, want)
		}
		one, other := h.pick(), h.pick()
		for range 10 {
			if a, b := h.pick(), h.pick(); a != one || b != other {
				h.Errorf("picks = %s, %s, want %s, %s again", a, b, one, other)
			}
		}
	})
}
