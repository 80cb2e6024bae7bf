package parity_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/attributes"
	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/experimental/balancer/weight"
	"google.golang.org/grpc/resolver"
)

// The B group: what pick_first makes of a resolver update. B3 is a defect.

func TestB1UpdateStopsTheAttemptTimer(t *testing.T) {
	onBoth(t, pickFirst, func(h *harness) {
		h.resolve(singles("a:1", "b:1")...)
		h.set(connecting, "a:1")
		h.wait(200 * time.Millisecond)
		h.resolve(singles("a:1", "b:1")...)
		h.wait(200 * time.Millisecond)
		h.wantAlive("a:1 CONNECTING") // else b:1 were 150 ms old
		h.wait(50 * time.Millisecond)
		h.wantAlive("a:1 CONNECTING", "b:1 IDLE")
	})
}

func TestB1RejectedUpdateStopsTheAttemptTimer(t *testing.T) {
	onBoth(t, pickFirst, func(h *harness) {
		h.resolve(singles("a:1", "b:1")...)
		h.set(connecting, "a:1")
		h.config = foreign{}
		if err := h.update(resolver.State{Endpoints: singles("a:1", "b:1")}); err == nil {
			h.Error("a foreign config was accepted")
		}
		h.wait(time.Minute)
		if h.grpcGo {
			h.wantAlive("a:1 CONNECTING") // b:1 waits until a:1 has failed
		} else {
			h.wantAlive("a:1 CONNECTING", "b:1 IDLE")
		}
	})
}

func TestB2EmptyListFailsEvenFromReady(t *testing.T) {
	onBoth(t, pickFirst, func(h *harness) {
		h.resolve(singles("a:1", "b:1")...)
		h.set(ready, "a:1")
		h.forget()
		if err := h.update(resolver.State{}); !errors.Is(err, balancer.ErrBadResolverState) {
			h.Errorf("UpdateClientConnState() = %v, want ErrBadResolverState", err)
		}
		h.wantCalls("shutdown a:1", "now TRANSIENT_FAILURE")
		h.wantPicks("name resolver error: produced zero addresses")
		h.resolve(singles("b:1")...) // B12: sticky only after failed connections
		h.wantCalls("now CONNECTING", "new b:1", "connect b:1")
	})
}

func TestB4EndpointsWinOverAddresses(t *testing.T) {
	onBoth(t, pickFirst, func(h *harness) {
		addrs := multi("a:1").Addresses
		for want, s := range map[string]resolver.State{
			"a:1 IDLE": {Addresses: addrs},
			"b:1 IDLE": {Addresses: addrs, Endpoints: singles("b:1")},
		} {
			if err := h.update(s); err != nil {
				h.Errorf("UpdateClientConnState(%v) = %v, want nil", s, err)
			}
			h.wantAlive(want)
		}
	})
}

// firsts returns how often each address was the first to be tried in n updates
// with the same list.
func (h *harness) firsts(n int, s resolver.State) map[string]int {
	h.Helper()
	first := map[string]int{}
	for range n {
		h.TakeCalls()
		if err := h.balancer.UpdateClientConnState(balancer.ClientConnState{ResolverState: s, BalancerConfig: h.config}); err != nil {
			h.Fatal(err)
		}
		calls := h.TakeCalls()
		first[calls[len(calls)-1]]++ // Nothing is CONNECTING: the last call is "connect ..."
	}
	return first
}

// UpdateClientConnState has returned, so the resolver may use its list again.
func TestB4ListIsTheResolvers(t *testing.T) {
	onBoth(t, pickFirst, func(h *harness) {
		list := singles("a:1")
		h.resolve(list...)
		h.set(ready, "a:1")
		list[0].Addresses[0].Addr = "b:1"
		h.resolve(list...)
		h.wantAlive("b:1 IDLE")
	})
}

func TestB5ShuffleMovesEndpointsNotAddresses(t *testing.T) {
	onBoth(t, pickFirst, func(h *harness) {
		h.parse(`{"shuffleAddressList":true}`)
		list := []resolver.Endpoint{multi("a:1", "a:2"), multi("b:1", "b:2")}
		got := h.firsts(200, resolver.State{Endpoints: list})
		if got["connect a:1"]+got["connect b:1"] != 200 || len(got) != 2 {
			h.Errorf("first attempts = %v, want a:1 and b:1 only, each some of the time", got)
		}
		if list[0].Addresses[0].Addr != "a:1" || list[1].Addresses[0].Addr != "b:1" {
			h.Error("the resolver's own list was changed")
		}
		// Without endpoints the addresses are shuffled.
		addrs := multi("a:1", "a:2", "a:3").Addresses
		if got := h.firsts(200, resolver.State{Addresses: addrs}); len(got) != 3 {
			h.Errorf("first attempts = %v, want each of a:1, a:2, a:3 some of the time", got)
		}
		if addrs[0].Addr != "a:1" || addrs[2].Addr != "a:3" {
			h.Error("the resolver's own addresses were changed")
		}
	})
}

// gRFC A113: endpoint i is first with probability w_i / sum of all w.
func TestB6ShuffleFollowsWeights(t *testing.T) {
	weighted := func(weights ...uint32) (list []resolver.Endpoint) {
		for i, w := range weights {
			list = append(list, weight.Set(multi(fmt.Sprint("e", i, ":1")), weight.EndpointInfo{Weight: w}))
		}
		return list
	}
	for name, tt := range map[string]struct {
		list []resolver.Endpoint
		want []float64
	}{
		"weights 1 to 4":  {weighted(1, 2, 3, 4), []float64{0.10, 0.20, 0.30, 0.40}},
		"0 and no weight": {append(weighted(0, 3), singles("e2:1")...), []float64{0.20, 0.60, 0.20}},
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, pickFirst, func(h *harness) {
				h.parse(`{"shuffleAddressList":true}`)
				const rounds = 5000
				got := h.firsts(rounds, resolver.State{Endpoints: tt.list})
				for i, p := range tt.want {
					n := float64(got[fmt.Sprint("connect e", i, ":1")])
					// Six standard deviations: one run in 10^8 fails by chance.
					if slack := 6 * math.Sqrt(rounds*p*(1-p)); math.Abs(n-rounds*p) > slack {
						h.Errorf("endpoint %d first %v times of %d, want %v +- %.0f", i, n, rounds, rounds*p, slack)
					}
				}
			})
		})
	}
}

// attempts makes each attempt fail and returns the order of the attempts.
func (h *harness) attempts(list ...resolver.Endpoint) (order []string) {
	h.Helper()
	for h.resolve(list...); h.State().ConnectivityState == connecting; {
		for _, sc := range h.SubConns() {
			if sc.State() == idle {
				order = append(order, sc.Addr.Addr)
				h.set(failure, sc.Addr.Addr)
			}
		}
	}
	return order
}

func TestB7B8B9OrderOfAttempts(t *testing.T) {
	for name, tt := range map[string]struct {
		list []resolver.Endpoint
		want []string
	}{
		"B7: endpoints one after the other": {
			[]resolver.Endpoint{multi("a:1", "b:1"), multi("c:1")}, []string{"a:1", "b:1", "c:1"},
		},
		"B8: each address once, the first stays": {
			[]resolver.Endpoint{multi("a:1", "b:1"), multi("a:1", "c:1", "b:1")}, []string{"a:1", "b:1", "c:1"},
		},
		"B9: IPv4 first": {
			[]resolver.Endpoint{multi("1.1.1.1:1", "2.2.2.2:1", "[::1]:1", "a:1", "[::2]:1")},
			[]string{"1.1.1.1:1", "[::1]:1", "a:1", "2.2.2.2:1", "[::2]:1"},
		},
		"B9: IPv6 first": {
			[]resolver.Endpoint{multi("[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1")},
			[]string{"[::1]:1", "1.1.1.1:1", "[::2]:1", "[::3]:1"},
		},
		"B9: names first": {
			[]resolver.Endpoint{multi("a", "unix:/b", "[::ffff:1.1.1.1]:1", "[::1]:1")},
			[]string{"a", "[::ffff:1.1.1.1]:1", "[::1]:1", "unix:/b"},
		},
		"B8 comes before B9": {
			[]resolver.Endpoint{multi("1.1.1.1:1", "1.1.1.1:1", "2.2.2.2:1", "[::1]:1")},
			[]string{"1.1.1.1:1", "[::1]:1", "2.2.2.2:1"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, pickFirst, func(h *harness) {
				if got := h.attempts(tt.list...); !slices.Equal(got, tt.want) {
					h.Errorf("attempts = %q, want %q", got, tt.want)
				}
			})
		})
	}
}

func TestB8WhatMakesAnAddressAnother(t *testing.T) {
	attrs := attributes.New("k", "v")
	for name, tt := range map[string]struct {
		other resolver.Address
		want  int
	}{
		"attributes":          {resolver.Address{Addr: "a:1", Attributes: attrs}, 2},
		"server name":         {resolver.Address{Addr: "a:1", ServerName: "x"}, 2},
		"balancer attributes": {resolver.Address{Addr: "a:1", BalancerAttributes: attrs}, 1},
		"metadata":            {resolver.Address{Addr: "a:1", Metadata: 1}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, pickFirst, func(h *harness) {
				h.resolve(resolver.Endpoint{Addresses: []resolver.Address{{Addr: "a:1"}, tt.other}})
				h.set(failure, "a:1")
				if got := len(h.SubConns()); got != tt.want {
					h.Errorf("SubConns = %d, want %d", got, tt.want)
				}
			})
		})
	}
}

func TestB10ConnectedAddressStays(t *testing.T) {
	onBoth(t, pickFirst, func(h *harness) {
		h.resolve(singles("a:1", "b:1")...)
		h.set(ready, "a:1")
		h.forget()
		h.resolve(singles("c:1", "a:1")...)
		h.wantCalls()
		h.set(idle, "a:1")
		h.wantCalls("now IDLE")
		h.exitIdle() // and the new list is the one that counts
		h.wantCalls("now CONNECTING", "new c:1", "connect c:1")
	})
}

func TestB10HealthSettingWaitsForTheNextReady(t *testing.T) {
	onBoth(t, pickFirst, func(h *harness) {
		h.resolve(singles("a:1")...)
		h.set(ready, "a:1")
		h.forget()
		h.health = true
		h.resolve(singles("a:1")...)
		h.wantCalls()
		h.set(idle, "a:1")
		h.exitIdle()
		h.set(ready, "a:1")
		h.wantCalls("now IDLE", "now CONNECTING", "connect a:1", "health a:1", "now READY")
	})
}

func TestB11KeptAddressKeepsItsBackoff(t *testing.T) {
	onBoth(t, pickFirst, func(h *harness) {
		h.resolve(singles("a:1", "b:1", "c:1")...)
		h.set(failure, "a:1") // and stays so: its backoff has only begun
		h.forget()
		h.resolve(singles("a:1", "c:1")...)
		// No other SubConn for a:1, no Connect, no wait for it.
		h.wantCalls("shutdown b:1", "now CONNECTING", "new c:1", "connect c:1")
	})
}

func TestB12WhatAnUpdateStarts(t *testing.T) {
	for name, tt := range map[string]struct {
		before func(h *harness)
		want   []string // after an update to a:1, d:1
	}{
		"nothing known yet": {
			func(*harness) {}, []string{"now CONNECTING", "new a:1", "connect a:1"},
		},
		"CONNECTING is published again": {
			func(h *harness) {
				h.resolve(singles("a:1", "b:1")...)
				h.set(connecting, "a:1")
			}, []string{"now CONNECTING"},
		},
		"B13: a READY address that leaves is dropped at once": {
			func(h *harness) {
				h.resolve(singles("b:1")...)
				h.set(ready, "b:1")
			}, []string{"shutdown b:1", "now CONNECTING", "new a:1", "connect a:1"},
		},
		"TRANSIENT_FAILURE stays": {
			func(h *harness) {
				h.resolve(singles("b:1")...)
				h.set(failure, "b:1")
			}, []string{"shutdown b:1", "new a:1", "connect a:1"},
		},
		"IDLE stays, and nothing is started": {
			func(h *harness) {
				h.resolve(singles("b:1")...)
				h.set(ready, "b:1")
				h.set(idle, "b:1")
			}, []string{"shutdown b:1"},
		},
		"a resolver error before any list is not sticky": {
			func(h *harness) { h.resolverError("down") },
			[]string{"now CONNECTING", "new a:1", "connect a:1"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, pickFirst, func(h *harness) {
				tt.before(h)
				h.forget()
				h.resolve(singles("a:1", "d:1")...)
				h.wantCalls(tt.want...)
			})
		})
	}
}

func TestB14OnlyWhatTheConnectionNeedsReplacesIt(t *testing.T) {
	attrs := attributes.New("k", "v")
	for name, tt := range map[string]struct {
		addr     resolver.Address
		replaced bool
	}{
		"attributes":          {resolver.Address{Addr: "a:1", Attributes: attrs}, true},
		"server name":         {resolver.Address{Addr: "a:1", ServerName: "x"}, true},
		"equal attributes":    {resolver.Address{Addr: "a:1", Attributes: attributes.New("old", sameAsAll{})}, false},
		"balancer attributes": {resolver.Address{Addr: "a:1", Attributes: attributes.New("old", 1), BalancerAttributes: attrs}, false},
		"metadata":            {resolver.Address{Addr: "a:1", Attributes: attributes.New("old", 1), Metadata: 1}, false},
	} {
		t.Run(name, func(t *testing.T) {
			for _, policy := range []string{pickFirst, roundRobin} {
				onBoth(t, policy, func(h *harness) {
					old := resolver.Address{Addr: "a:1", Attributes: attributes.New("old", 1)}
					if name == "equal attributes" {
						old.Attributes = attributes.New("old", sameAsAll{})
					}
					h.resolve(resolver.Endpoint{Addresses: []resolver.Address{old}})
					h.set(ready, "a:1")
					h.resolve(resolver.Endpoint{Addresses: []resolver.Address{tt.addr}})
					if got := len(h.SubConns()) > 1; got != tt.replaced {
						h.Errorf("connection replaced = %v, want %v", got, tt.replaced)
					}
				})
			}
		})
	}
}

// sameAsAll is an attribute that could not be compared without its Equal.
type sameAsAll struct{ _ []int }

func (sameAsAll) Equal(any) bool { return true }
