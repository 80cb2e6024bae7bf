package parity_test

import (
	"errors"
	"strconv"
	"testing"
	"time"

	"google.golang.org/grpc/attributes"
	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/resolver"
)

// The tests of this file expect one thing of grpc-go and another of us. If only
// the grpc-go half fails, grpc-go has changed: look whether the difference is
// still worth having, and bring docs/compatibility.md up to date.

// grpc-go #9409.
func TestDefectB3EndpointWithoutAddresses(t *testing.T) {
	for name, addrs := range map[string][]resolver.Address{
		"alone":            nil,
		"beside addresses": multi("a:1").Addresses, // which count for nothing, see B4
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, pickFirst, func(h *harness) {
				err := h.update(resolver.State{Endpoints: []resolver.Endpoint{{}, {}}, Addresses: addrs})
				if got, want := errors.Is(err, balancer.ErrBadResolverState), either(h, false, true); got != want {
					h.Errorf("UpdateClientConnState() = %v, want ErrBadResolverState: %v", err, want)
				}
				h.wait(time.Hour)
				h.wantStates(either(h, connecting, failure))
				h.wantPicks(either(h, parking, "name resolver error: produced zero addresses"))
				h.wantAlive()
			})
		})
	}
}

func TestDefectB3RoundRobinEndpointWithoutAddresses(t *testing.T) {
	onBoth(t, roundRobin, func(h *harness) {
		err := h.update(resolver.State{Endpoints: []resolver.Endpoint{{}}})
		if got, want := errors.Is(err, balancer.ErrBadResolverState), either(h, false, true); got != want {
			h.Errorf("UpdateClientConnState() = %v, want ErrBadResolverState: %v", err, want)
		}
		h.wait(time.Hour)
		h.wantStates(either(h, connecting, failure))
		h.wantPicks(either(h, parking, "no children to pick from"))

		// Beside another one it keeps RPCs waiting although all else has failed.
		h.resolve(append(singles("a:1"), resolver.Endpoint{})...)
		h.set(connecting, "a:1")
		h.set(failure, "a:1")
		h.wait(time.Hour)
		h.wantPicks(either(h, parking, "a:1 refused"))
	})
}

// gRFC A62.
func TestDefectD7StickyTransientFailureOverAnUpdate(t *testing.T) {
	onBoth(t, pickFirst, func(h *harness) {
		h.resolve(singles("a:1")...)
		h.set(connecting, "a:1")
		h.set(failure, "a:1")
		h.wantStates(connecting, failure)
		h.resolve(singles("a:1", "b:1")...)
		h.wantStates() // so far both stay
		h.set(connecting, "b:1")
		if h.grpcGo {
			h.wantStates(connecting) // The new SubConn's report is passed on.
		} else {
			h.wantStates()
		}
		h.wantPicks(either(h, parking, "a:1 refused"))
		h.set(ready, "b:1")
		h.wantStates(ready)
	})
}

func TestDefectD7RoundRobinStickyTransientFailureOverAnUpdate(t *testing.T) {
	onBoth(t, roundRobin, func(h *harness) {
		h.resolve(multi("a:1", "b:1"))
		h.set(failure, "a:1", "b:1")
		h.forget()
		// The same endpoint, but an address of it needs a new connection.
		changed := multi("a:1", "b:1")
		changed.Addresses[0].Attributes = attributes.New("k", "v")
		h.resolve(changed)
		h.wantStates(failure)
		h.set(connecting, "a:1")
		if h.grpcGo {
			h.wantStates(connecting)
		} else {
			h.wantStates()
		}
	})
}

// grpc-go #8146.
func TestDefectE12ResolverErrorWithoutEndpoints(t *testing.T) {
	onBoth(t, roundRobin, func(h *harness) {
		h.resolverError("registry is down")
		h.wantStates(failure)
		h.wantPicks(either(h, "no children to pick from", "no children to pick from; name resolver error: registry is down"))
	})
}

func TestDefectD3RoundRobinResolverErrorHidesTheConnectionError(t *testing.T) {
	onBoth(t, roundRobin, func(h *harness) {
		h.resolve(singles("a:1")...)
		h.set(failure, "a:1")
		h.wantPicks("a:1 refused")
		h.resolverError("registry is down")
		h.wantStates(connecting, failure, failure)
		h.wantPicks(either(h, "name resolver error: registry is down", "a:1 refused; name resolver error: registry is down"))
		h.resolve(singles("a:1")...)
		h.wantPicks("a:1 refused")
	})
}

func TestDefectE2WhichDuplicateCounts(t *testing.T) {
	onBoth(t, roundRobin, func(h *harness) {
		first := map[string]int{}
		const rounds = 64 // All the same by chance: 1 in 2^63.
		for range rounds {
			one := h.another()
			one.resolve(multi("a:1", "b:1"), multi("b:1", "a:1"))
			first[one.SubConns()[0].Addr.Addr]++
			one.close()
		}
		if random := first["b:1"] > 0 && first["a:1"] > 0; random != h.grpcGo || first["a:1"] == 0 {
			h.Errorf("the first attempts went to %v, want %s", first, either(h, "sometimes the one, sometimes the other", "a:1 always"))
		}
	})
}

// grpc-go #2580.
func TestDefectE11TurnStartsAnewOnEachUpdate(t *testing.T) {
	onBoth(t, roundRobin, func(h *harness) {
		var addrs []string
		for i := range 8 {
			addrs = append(addrs, "e"+strconv.Itoa(i)+":1")
		}
		h.resolve(singles(addrs...)...)
		h.set(ready, addrs...)
		const turns = 50
		picks := map[string]int{}
		for i := range turns * len(addrs) {
			// An endpoint that never connects comes and goes: the READY ones stay.
			h.resolve(singles(append(addrs, "z:1")[:len(addrs)+i%2]...)...)
			picks[h.pick()]++
		}
		even := true
		for _, a := range addrs {
			even = even && picks[a] == turns
		}
		// Even by chance: less than 1 in 10^8.
		if want := either(h, false, true); even != want {
			h.Errorf("picks with an update before each = %v, want %d of each: %v", picks, turns, want)
		}
	})
}
