package endpoints_test

import (
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/connectivity"
)

// started returns the addresses that have been asked to connect.
func (h *harness) started() (addrs []string) {
	for _, sc := range h.SubConns() {
		if sc.Connects() > 0 && !sc.IsShutdown() {
			addrs = append(addrs, sc.Addr.Addr)
		}
	}
	return addrs
}

func (h *harness) wantStarted(want ...string) {
	h.Helper()
	got := h.started()
	if len(got) != len(want) {
		h.Fatalf("connections under way: %q, want %q", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			h.Fatalf("connections under way: %q, want %q", got, want)
		}
	}
}

func TestAddressesOfOneEndpointRace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		if err := h.update(multi("10.0.0.1:1", "10.0.0.2:1", "[::1]:1")); err != nil {
			t.Fatal(err)
		}
		h.wantStarted("10.0.0.1:1")
		h.set(connecting, "10.0.0.1:1")
		time.Sleep(249 * time.Millisecond)
		h.wantStarted("10.0.0.1:1")
		time.Sleep(time.Millisecond)
		synctest.Wait()
		h.wantStarted("10.0.0.1:1", "[::1]:1") // the other family is second
		h.set(connecting, "[::1]:1")
		h.set(failure, "[::1]:1") // a failure does not wait for the timer
		h.wantStarted("10.0.0.1:1", "[::1]:1", "10.0.0.2:1")
		h.wantStates(connecting)
		h.set(ready, "10.0.0.2:1")
		h.wantStates(ready)
		h.wantStarted("10.0.0.2:1") // the first one that answers wins
		time.Sleep(time.Second)
		synctest.Wait()
		h.wantStarted("10.0.0.2:1")
	})
}

func TestEndpointFailsWhenAllItsAddressesHave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		if err := h.update(multi("a:1", "b:1")); err != nil {
			t.Fatal(err)
		}
		h.set(failure, "a:1")
		h.wantStates(connecting)
		h.set(idle, "a:1") // its backoff is over before the pass is
		h.set(failure, "b:1")
		h.wantStates(failure)
		if got, want := h.pickErr().Error(), "b:1: connection refused"; got != want {
			t.Errorf("Pick() = %q, want %q", got, want)
		}
		if got := h.SubConn("a:1").Connects(); got != 2 {
			t.Errorf("Connect calls on a:1 = %d, want one more at the end of the pass", got)
		}
		h.set(connecting, "a:1")
		h.set(ready, "a:1")
		h.wantStates(connecting, ready)
	})
}

func TestLostMultiAddressEndpointStartsFromItsFirstAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		if err := h.update(multi("a:1", "b:1")); err != nil {
			t.Fatal(err)
		}
		h.set(failure, "a:1")
		h.set(ready, "b:1")
		h.set(idle, "b:1")
		h.wantStates(connecting, ready, idle, connecting)
		if got := h.SubConn("a:1").Connects(); got != 1 {
			t.Errorf("Connect calls on the new SubConn of a:1 = %d, want 1", got)
		}
	})
}

func TestNewAddressOfAConnectedEndpointIsANewEndpoint(t *testing.T) {
	h := newHarness(t)
	if err := h.update(multi("a:1", "b:1")); err != nil {
		t.Fatal(err)
	}
	h.set(ready, "a:1")
	old := h.SubConn("a:1")
	if err := h.update(multi("b:1", "a:1")); err != nil {
		t.Fatal(err)
	}
	if old.IsShutdown() {
		t.Error("another order of the same addresses replaced the connection")
	}
	if err := h.update(multi("a:1", "b:1", "c:1")); err != nil {
		t.Fatal(err)
	}
	if !old.IsShutdown() {
		t.Error("the endpoint with another address set kept the old one's connection")
	}
}

func TestAddressesUpdateWhileFailingStaysInTransientFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		if err := h.update(multi("a:1", "b:1")); err != nil {
			t.Fatal(err)
		}
		h.set(failure, "a:1", "b:1")
		h.TakeStates()
		// Same set in another order: the endpoint stays, its pass starts anew.
		if err := h.update(multi("b:1", "a:1")); err != nil {
			t.Fatal(err)
		}
		h.set(idle, "b:1")
		h.set(connecting, "b:1")
		for _, s := range h.TakeStates() {
			if s != connectivity.TransientFailure {
				t.Errorf("published %v, want TRANSIENT_FAILURE to be sticky (A62)", s)
			}
		}
	})
}
