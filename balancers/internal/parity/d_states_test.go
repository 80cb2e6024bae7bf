package parity_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/status"
)

// The D group: what pick_first publishes. D7 is a defect.

func TestD1SameStateIsPublishedOnce(t *testing.T) {
	onBoth(t, pickFirst, func(h *harness) {
		h.resolve(singles("a:1", "b:1")...)
		h.set(connecting, "a:1")
		h.wait(250 * time.Millisecond)
		h.set(connecting, "b:1")
		h.wantStates(connecting)
		h.set(failure, "a:1", "b:1")
		h.wantStates(failure)
		for range 2 { // except for an error that may be new
			h.set(idle, "a:1", "b:1")
			h.set(connecting, "a:1", "b:1")
			h.set(failure, "a:1", "b:1")
			h.wantStates(failure)
		}
		h.set(idle, "a:1")
		h.set(connecting, "a:1")
		h.set(ready, "a:1")
		h.wantStates(ready)
	})
}

func TestD2PickIsTheSubConnAndNothingElse(t *testing.T) {
	for _, policy := range []string{pickFirst, roundRobin} {
		onBoth(t, policy, func(h *harness) {
			h.resolve(singles("a:1")...)
			if _, err := h.State().Picker.Pick(balancer.PickInfo{}); err != balancer.ErrNoSubConnAvailable { //nolint:errorlint // grpc compares it like this
				h.Errorf("Pick() while CONNECTING = %v, want ErrNoSubConnAvailable", err)
			}
			h.set(ready, "a:1")
			got, err := h.State().Picker.Pick(balancer.PickInfo{Ctx: t.Context()})
			if err != nil {
				h.Fatalf("Pick() = %v", err)
			}
			// F7: grpc takes no SubConn but its own. F9, F10: nothing to call or send.
			if got.SubConn != balancer.SubConn(h.SubConn("a:1")) || got.Done != nil || got.Metadata != nil {
				h.Errorf("Pick() = %+v, want the channel's own SubConn, no Done, no Metadata", got)
			}
		})
	}
}

func TestD3ResolverErrors(t *testing.T) {
	onBoth(t, pickFirst, func(h *harness) {
		h.resolverError("down")
		h.wantStates(failure)
		h.wantPicks("name resolver error: down")
		h.resolverError("still down")
		h.wantStates(failure)
		h.wantPicks("name resolver error: still down")
		h.resolve(singles("a:1")...)
		h.wantStates(connecting)
		h.resolverError("down")
		h.wantStates() // A list that may still do is not given up,
		h.set(ready, "a:1")
		h.wantStates(ready)
		h.resolverError("down")
		h.wantStates() // nor a connection,
		h.set(idle, "a:1")
		h.wantStates(idle)
		h.resolverError("down")
		h.wantStates()
		h.exitIdle()
		h.set(failure, "a:1")
		h.wantStates(connecting, failure)
		h.resolverError("down") // but this takes the place of the connection's error.
		h.wantStates(failure)
		h.wantPicks("name resolver error: down")
		h.wantAlive("a:1 TRANSIENT_FAILURE")
	})
}

func TestD4PickersErrorsAreNotStatuses(t *testing.T) {
	refused := status.Error(codes.Unavailable, "refused")
	onBoth(t, pickFirst, func(h *harness) {
		h.balancer.ResolverError(refused)
		_, err := h.State().Picker.Pick(balancer.PickInfo{})
		if s, ok := status.FromError(err); ok {
			h.Errorf("Pick() has status %v: it would end wait-for-ready RPCs", s)
		}
		// A connection's error is passed on as it is.
		h.resolve(singles("a:1")...)
		cause := errors.New("refused")
		h.SubConn("a:1").Set(failure, cause)
		if _, err := h.State().Picker.Pick(balancer.PickInfo{}); err != cause { //nolint:errorlint // the very same
			h.Errorf("Pick() = %v, want the connection's own error", err)
		}
	})
	onBoth(t, roundRobin, func(h *harness) {
		h.resolve(singles("a:1")...)
		h.set(failure, "a:1")
		h.balancer.ResolverError(refused)
		_, err := h.State().Picker.Pick(balancer.PickInfo{})
		if s, ok := status.FromError(err); ok {
			h.Errorf("Pick() has status %v: it would end wait-for-ready RPCs", s)
		}
	})
}

func TestD6TransientFailureLastsUntilReady(t *testing.T) {
	for _, policy := range []string{pickFirst, roundRobin} {
		onBoth(t, policy, func(h *harness) {
			h.resolve(singles("a:1")...)
			h.set(connecting, "a:1")
			h.set(failure, "a:1")
			h.wantStates(connecting, failure)
			h.set(idle, "a:1")
			h.set(connecting, "a:1")
			h.wantStates()
			h.wantPicks("a:1 refused")
		})
	}
}

func TestD8CloseIsFinal(t *testing.T) {
	for _, policy := range []string{pickFirst, roundRobin} {
		onBoth(t, policy, func(h *harness) {
			h.resolve(multi("a:1", "b:1", "c:1"))
			h.set(connecting, "a:1")
			h.wait(250 * time.Millisecond)
			h.set(connecting, "b:1")
			h.forget()
			h.balancer.Close()
			h.settle()
			h.wantStates()
			h.wantAlive()
			// What grpc may have had on its way does no harm.
			h.set(ready, "a:1", "b:1")
			h.set(idle, "a:1")
			h.wait(time.Hour)
			h.wantStates()
			h.wantAlive()
		})
	}
}

func TestD9DeprecatedUpdateSubConnStateDoesNothing(t *testing.T) {
	for _, policy := range []string{pickFirst, roundRobin} {
		onBoth(t, policy, func(h *harness) {
			h.resolve(singles("a:1")...)
			h.forget()
			h.balancer.UpdateSubConnState(h.SubConn("a:1"), balancer.SubConnState{ConnectivityState: ready}) //nolint:staticcheck // grpc still has it
			h.settle()
			h.wantCalls()
		})
	}
}

// Pickers, timers and ExitIdle come from other goroutines than grpc's. The race
// detector is the judge.
func TestD10CallsFromManyGoroutines(t *testing.T) {
	onBoth(t, pickFirst, func(h *harness) {
		h.resolve(singles("a:1", "b:1")...)
		for range 50 {
			var wg sync.WaitGroup
			for range 3 {
				wg.Go(func() {
					_, _ = h.State().Picker.Pick(balancer.PickInfo{})
					h.balancer.ExitIdle()
				})
			}
			wg.Go(func() {
				for _, s := range []resolver.State{{Endpoints: singles("b:1", "a:1")}, {Endpoints: singles("a:1", "b:1")}} {
					if err := h.balancer.UpdateClientConnState(balancer.ClientConnState{ResolverState: s}); err != nil {
						h.Error(err)
					}
				}
			})
			time.Sleep(250 * time.Millisecond) // the attempt timer's turn
			wg.Wait()
			h.settle()
			for _, sc := range h.SubConns() {
				if !sc.IsShutdown() && sc.Asked() {
					sc.Set(connecting, nil)
					sc.Set(ready, nil)
					h.settle()
					sc.Set(idle, nil)
					h.settle()
				}
			}
		}
	})
}
