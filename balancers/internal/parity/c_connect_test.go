package parity_test

import (
	"testing"
	"time"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"
)

// The C group: how pick_first connects (gRFC A61).

func TestC1OneAddressPerSubConn(t *testing.T) {
	for policy, want := range map[string][]string{
		pickFirst:  {"now CONNECTING", "new a:1", "connect a:1"},
		roundRobin: {"new a:1", "connect a:1", "now CONNECTING"}, // E7: one answer, at the end
	} {
		onBoth(t, policy, func(h *harness) {
			h.resolve(multi("a:1", "b:1"))
			h.wantCalls(want...) // b:1 has none before its turn
		})
	}
}

func TestC2AddressInBackoffCountsAsFailed(t *testing.T) {
	onBoth(t, pickFirst, func(h *harness) {
		h.resolve(singles("a:1", "b:1")...)
		h.set(failure, "a:1")
		h.set(connecting, "b:1")
		h.forget()
		h.resolve(singles("a:1", "b:1", "c:1")...)
		h.wantCalls("now CONNECTING") // past a:1; b:1 is under way
		h.wait(250 * time.Millisecond)
		h.wantCalls("new c:1", "connect c:1")
		h.set(failure, "b:1", "c:1")
		h.wantCalls("now TRANSIENT_FAILURE")
	})
}

func TestC2ChannelThatIsClosing(t *testing.T) {
	onBoth(t, pickFirst, func(h *harness) {
		h.Closing = true
		h.resolve(singles("a:1", "b:1")...)
		h.wait(time.Minute)
		h.wantCalls("now CONNECTING")
	})
}

func TestC3AttemptsStart250msApart(t *testing.T) {
	onBoth(t, pickFirst, func(h *harness) {
		h.resolve(singles("a:1", "b:1", "c:1")...)
		h.set(connecting, "a:1")
		h.forget()
		h.wait(250*time.Millisecond - 1)
		h.wantCalls()
		h.wait(1)
		h.wantCalls("new b:1", "connect b:1")
		h.set(connecting, "b:1")
		h.wait(250 * time.Millisecond)
		h.wantCalls("new c:1", "connect c:1")
		h.set(connecting, "c:1")
		h.wait(time.Hour) // There is no next address and so no timer.
		h.wantCalls()
		h.wantAlive("a:1 CONNECTING", "b:1 CONNECTING", "c:1 CONNECTING")
	})
}

func TestC4OnlyAFailureInTurnMovesOn(t *testing.T) {
	onBoth(t, pickFirst, func(h *harness) {
		h.resolve(singles("a:1", "b:1", "c:1", "d:1")...)
		h.set(connecting, "a:1")
		h.wait(250 * time.Millisecond)
		h.set(connecting, "b:1")
		h.wait(100 * time.Millisecond)
		h.forget()
		h.set(failure, "a:1")
		h.wantCalls() // The pass waits for b:1.
		h.set(failure, "b:1")
		h.wantCalls("new c:1", "connect c:1")
		h.wait(150 * time.Millisecond)
		h.wantCalls() // b:1's timer is gone,
		h.wait(100 * time.Millisecond)
		h.wantCalls("new d:1", "connect d:1") // c:1's runs.
	})
}

func TestC5EndOfTheFirstPass(t *testing.T) {
	onBoth(t, pickFirst, func(h *harness) {
		h.resolve(singles("a:1", "b:1")...)
		h.set(connecting, "a:1")
		h.wait(250 * time.Millisecond)
		h.set(connecting, "b:1")
		h.forget()
		h.set(failure, "b:1")
		h.set(idle, "b:1")
		h.wantCalls() // a:1 has not failed yet
		h.set(failure, "a:1")
		h.wantCalls("now TRANSIENT_FAILURE", "connect b:1")
		h.wantPicks("a:1 refused") // the last to be reported
	})
}

func TestC5PassThatEndsOnAddressesInBackoff(t *testing.T) {
	onBoth(t, pickFirst, func(h *harness) {
		h.resolve(singles("a:1", "b:1")...)
		h.set(failure, "a:1")
		h.set(connecting, "b:1")
		h.forget()
		h.resolve(singles("b:1", "a:1")...)
		h.set(failure, "b:1")
		h.wantCalls("now CONNECTING", "now TRANSIENT_FAILURE")
		h.wantPicks("a:1 refused") // of the address that the walk ended on
	})
}

func TestC6AfterTheFirstPassEachReconnects(t *testing.T) {
	onBoth(t, pickFirst, func(h *harness) {
		h.resolve(singles("a:1", "b:1")...)
		h.set(failure, "a:1", "b:1")
		h.wantPicks("b:1 refused")
		h.forget()
		for range 2 { // The error is refreshed with every second failure.
			h.set(idle, "a:1")
			h.wantCalls("connect a:1")
			h.set(connecting, "a:1")
			h.set(failure, "a:1")
			h.wantCalls()
			h.wantPicks("b:1 refused")
			h.set(idle, "b:1")
			h.set(connecting, "b:1")
			h.set(failure, "b:1")
			h.wantCalls("connect b:1", "now TRANSIENT_FAILURE")
		}
		h.set(idle, "a:1")
		h.set(connecting, "a:1")
		h.set(ready, "a:1")
		h.wantCalls("connect a:1", "shutdown b:1", "now READY")
	})
}

func TestC7FirstReadyWins(t *testing.T) {
	onBoth(t, pickFirst, func(h *harness) {
		h.resolve(singles("a:1", "b:1", "c:1")...)
		h.set(connecting, "a:1")
		h.wait(250 * time.Millisecond)
		h.set(connecting, "b:1")
		h.forget()
		h.set(ready, "b:1")
		h.wantCalls("shutdown a:1", "now READY")
		h.wantPicks("b:1", "b:1")
		h.wait(time.Hour) // The timer for c:1 is gone.
		h.wantAlive("b:1 READY")
	})
}

func TestC8LateReportsAreIgnored(t *testing.T) {
	onBoth(t, pickFirst, func(h *harness) {
		h.resolve(singles("a:1")...)
		h.set(connecting, "a:1")
		h.resolve(singles("b:1")...)
		h.forget()
		// grpc may have had this one on its way.
		h.set(ready, "a:1")
		h.set(idle, "a:1")
		h.wantCalls()
		h.wantAlive("b:1 IDLE")
	})
}

func TestC10LostConnection(t *testing.T) {
	for name, tt := range map[string]struct{ from, to connectivity.State }{
		"READY to IDLE": {ready, idle},
		// What gRFC A105 may make of it.
		"C14: READY to CONNECTING":        {ready, connecting},
		"C14: READY to TRANSIENT_FAILURE": {ready, failure},
		// grpc-go #7862: lost before anybody heard of its READY.
		"CONNECTING to IDLE": {connecting, idle},
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, pickFirst, func(h *harness) {
				h.resolve(singles("a:1", "b:1")...)
				h.set(failure, "a:1")
				h.set(tt.from, "b:1")
				h.forget()
				h.set(tt.to, "b:1")
				h.wantStates(idle)
				h.wait(time.Hour)
				h.wantStates() // until somebody calls
				h.wantAlive("b:1 " + tt.to.String())
			})
		})
	}
}

func TestC11IdleUntilTheNextRPC(t *testing.T) {
	onBoth(t, pickFirst, func(h *harness) {
		h.resolve(singles("a:1", "b:1")...)
		h.set(failure, "a:1")
		h.set(ready, "b:1")
		h.set(idle, "b:1")
		h.forget()
		picker := h.State().Picker
		for range 3 { // Several RPCs may have the picker; one wakes the policy.
			if _, err := picker.Pick(balancer.PickInfo{}); err != balancer.ErrNoSubConnAvailable { //nolint:errorlint // grpc compares it like this
				h.Errorf("Pick() = %v, want ErrNoSubConnAvailable", err)
			}
			h.settle()
		}
		h.wantCalls("now CONNECTING", "new a:1", "connect a:1") // from the top
		// An RPC may still have it later. It has woken the policy once.
		h.set(ready, "a:1")
		h.set(idle, "a:1")
		h.forget()
		if _, err := picker.Pick(balancer.PickInfo{}); err == nil {
			h.Error("the old picker gave a SubConn")
		}
		h.settle()
		h.wantCalls()
	})
}

func TestC11ExitIdle(t *testing.T) {
	onBoth(t, pickFirst, func(h *harness) {
		h.exitIdle() // There is no address yet.
		h.wantCalls()
		h.resolve(singles("a:1")...)
		h.set(ready, "a:1")
		h.forget()
		h.exitIdle()
		h.wantCalls()
		h.set(idle, "a:1")
		h.exitIdle()
		h.exitIdle()
		h.wantCalls("now IDLE", "now CONNECTING", "connect a:1")
		h.set(failure, "a:1")
		h.forget()
		h.exitIdle()
		h.wantCalls()
	})
}

// It is the channel that asks the resolver again when a connection fails or is
// lost. TestC12ResolverIsAskedOnceForEachFailure shows that on a channel.
func TestC12PoliciesDoNotAskTheResolver(t *testing.T) {
	for _, policy := range []string{pickFirst, roundRobin} {
		onBoth(t, policy, func(h *harness) {
			h.resolve(singles("a:1", "b:1")...)
			h.set(ready, "a:1")
			h.set(idle, "a:1")
			h.exitIdle()
			h.set(failure, "a:1", "b:1")
			h.resolverError("down")
			if got := h.ResolveNows(); got != 0 {
				h.Errorf("ResolveNow calls = %d, want none", got)
			}
		})
	}
}
