package v1adapter_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/evenkeel-grpc/evenkeel/balancers/v1adapter"
)

// send sends a list and waits until everything has settled.
func (f *fake) send(list ...v1adapter.Address) {
	f.lists <- list
	synctest.Wait()
}

// wantEvents fails the test unless the calls since the last time are these.
func (f *fake) wantEvents(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	if diff := cmp.Diff(want, f.take()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func wantState(t *testing.T, cc *grpc.ClientConn, want connectivity.State) {
	t.Helper()
	synctest.Wait()
	if got := cc.GetState(); got != want {
		t.Errorf("state = %v, want %v", got, want)
	}
}

// Notify: a nil channel means one connection, to the target.
func TestNilNotifyConnectsToTheTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, f := newWorld(t, "target"), newFake()
		f.lists, f.get = nil, always(v1adapter.Address{Addr: "target"})
		cc := w.dial(v1adapter.DialOptions(f)...)
		if s, err := call(t.Context(), cc); s != "target" {
			t.Errorf("RPC = %q, %v, want target", s, err)
		}
		f.wantEvents(t, "start target", "notify", "up target")
	})
}

// Notify: each list is the full one. New addresses are connected, kept ones are
// left alone, one that comes back is a new connection, duplicates count once.
func TestListsAreTheFullOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, f := newWorld(t, "a", "b"), newFake(addrs("a", "a")...)
		w.dial(v1adapter.DialOptions(f)...)
		f.wantEvents(t, "start target", "notify", "up a")
		f.send(addrs("a", "b", "a", "b")...)
		f.wantEvents(t, "up b")
		f.send(addrs("b")...)
		f.wantEvents(t, "down a")
		f.send(addrs("b", "a")...)
		f.wantEvents(t, "up a")
		f.send(addrs("a", "b")...)
		f.wantEvents(t)
		if a, b := w.dialed("a"), w.dialed("b"); a != 2 || b != 1 {
			t.Errorf("a was dialed %d times and b %d, want 2 and 1", a, b)
		}
	})
}

// Notify: Addr and Metadata together identify an address.
func TestMetadataIsPartOfAnAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, two := v1adapter.Address{Addr: "a", Metadata: 1}, v1adapter.Address{Addr: "a", Metadata: 2}
		w, f := newWorld(t, "a"), newFake(one)
		cc := w.dial(v1adapter.DialOptions(f)...)
		f.wantEvents(t, "start target", "notify", "up a(1)")
		f.send(one, two)
		f.wantEvents(t, "up a(2)")
		f.send(two)
		f.wantEvents(t, "down a(1)")
		f.get = always(two)
		if s, err := call(t.Context(), cc); s != "a" {
			t.Errorf("RPC = %q, %v, want a", s, err)
		}
		if n := w.dialed("a"); n != 2 {
			t.Errorf("a was dialed %d times, want 2", n)
		}
	})
}

// Notify: Metadata that cannot be compared made v1 panic.
func TestMetadataThatIsNotComparable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad := v1adapter.Address{Addr: "a", Metadata: []int{1}}
		w, f := newWorld(t, "a", "b"), newFake(bad, v1adapter.Address{Addr: "b"})
		cc := w.dial(v1adapter.DialOptions(f)...)
		f.wantEvents(t, "start target", "notify", "up b")
		_, err := call(t.Context(), cc)
		if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), `"a" with Metadata that is not comparable, a []int`) {
			t.Errorf("RPC = %v, want UNAVAILABLE that says why", err)
		}
	})
}

// Notify: an address that leaves the list is drained: RPCs on it go on.
func TestRemovedAddressIsDrained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, f := newWorld(t, "a", "b"), newFake(addrs("a")...)
		cc := w.dial(v1adapter.DialOptions(f)...)
		stream, err := healthpb.NewHealthClient(cc).Watch(t.Context(), &healthpb.HealthCheckRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); err != nil {
			t.Fatal(err)
		}
		f.get = always(v1adapter.Address{Addr: "b"})
		f.send(addrs("b")...)
		f.wantEvents(t, "start target", "notify", "up a", "down a", "up b")
		close(w.servers["a"].release)
		if _, err := stream.Recv(); err == nil || err.Error() != "EOF" {
			t.Errorf("stream on a ended with %v, want EOF", err)
		}
		if got := f.downs[0]; got == nil || !strings.Contains(got.Error(), "drained") {
			t.Errorf("down was called with %v, want the error of a drained connection", got)
		}
	})
}

// Notify: closing the channel keeps the connections, and re-establishes them.
func TestClosedNotifyKeepsConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, f := newWorld(t, "a"), newFake(addrs("a")...)
		cc := w.dial(v1adapter.DialOptions(f)...)
		close(f.lists)
		synctest.Wait()
		if s, err := call(t.Context(), cc); s != "a" {
			t.Errorf("RPC = %q, %v, want a", s, err)
		}
		w.stop("a")
		w.start("a")
		time.Sleep(2 * time.Second) // the backoff, in the bubble
		f.wantEvents(t, "start target", "notify", "up a", "down a", "up a")
	})
}

// Connections: a lost one is re-established without an RPC; Up and its down come
// in pairs, down with the cause.
func TestLostConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, f := newWorld(t, "a"), newFake(addrs("a")...)
		cc := w.dial(v1adapter.DialOptions(f)...)
		wantState(t, cc, connectivity.Ready)
		w.stop("a")
		f.wantEvents(t, "start target", "notify", "up a", "down a")
		if got := f.downs; len(got) != 1 || got[0] == nil || !strings.Contains(got[0].Error(), "closing") {
			t.Errorf("down was called with %v, want one error", got)
		}
		wantState(t, cc, connectivity.TransientFailure)
		_, err := call(t.Context(), cc)
		if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "nobody listens on") {
			t.Errorf("RPC = %v, want UNAVAILABLE with the cause", err)
		}
		w.start("a")
		time.Sleep(2 * time.Second)
		f.wantEvents(t, "up a")
		wantState(t, cc, connectivity.Ready)
	})
}

// Connections: Up may return nil.
func TestNilDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, f := newWorld(t, "a"), newFake(addrs("a")...)
		f.noDown = true
		cc := w.dial(v1adapter.DialOptions(f)...)
		w.stop("a")
		_ = cc.Close()
		f.wantEvents(t, "start target", "notify", "up a", "close")
	})
}

// Connections: the states are aggregated; without addresses the channel is in
// TRANSIENT_FAILURE, before the first list in CONNECTING.
func TestStates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, f := newWorld(t, "a", "b"), newFake()
		cc := w.dial(v1adapter.DialOptions(f)...)
		wantState(t, cc, connectivity.Connecting)
		f.send()
		wantState(t, cc, connectivity.TransientFailure)
		f.send(addrs("a", "b", "nobody")...)
		wantState(t, cc, connectivity.Ready)
		w.stop("a")
		wantState(t, cc, connectivity.Ready)
		w.stop("b")
		wantState(t, cc, connectivity.TransientFailure)
		f.send()
		wantState(t, cc, connectivity.TransientFailure)
	})
}

// Connections: grpc closes them when the channel closes, after their downs.
func TestDownsComeBeforeClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, f := newWorld(t, "a"), newFake(addrs("a")...)
		cc := w.dial(v1adapter.DialOptions(f)...)
		f.take()
		f.close = func() error { return errors.New("only logged") }
		_ = cc.Close()
		f.wantEvents(t, "down a", "close")
		if got := f.downs[0]; !errors.Is(got, v1adapter.ErrClientConnClosing) {
			t.Errorf("down was called with %v, want ErrClientConnClosing", got)
		}
	})
}

// Notify: a list that waits, behind an Up that blocks, belongs to the balancer
// no longer: it may make the next one in the same array.
func TestAListThatWaitsIsACopy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, f := newWorld(t, "a", "b", "c"), newFake(addrs("a")...)
		blocked := make(chan struct{})
		f.up = func(a v1adapter.Address) {
			if a.Addr == "a" {
				<-blocked
			}
		}
		w.dial(v1adapter.DialOptions(f)...)
		synctest.Wait()
		list := addrs("a", "b")
		f.send(list...)
		list[1].Addr = "c"
		close(blocked)
		f.wantEvents(t, "start target", "notify", "up a", "up b")
	})
}
