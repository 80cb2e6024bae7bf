package v1adapter_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/status"

	"github.com/evenkeel-grpc/evenkeel/balancers/v1adapter"
	"github.com/evenkeel-grpc/evenkeel/balancers/v1adapter/naming"
)

// dialRoundRobin returns a channel over RoundRobin and the script that it follows.
func (w *world) dialRoundRobin(opts ...grpc.DialOption) (*grpc.ClientConn, *script) {
	w.t.Helper()
	s := newScript()
	return w.dial(append(v1adapter.DialOptions(v1adapter.RoundRobin(s)), opts...)...), s
}

// send delivers updates and waits until everything has settled.
func (s *script) send(updates ...*naming.Update) {
	s.updates <- updates
	synctest.Wait()
}

// wantTurns fails the test unless RPCs go to these servers, in this order.
func wantTurns(t *testing.T, cc *grpc.ClientConn, want ...string) {
	t.Helper()
	var got []string
	for range want {
		s, err := call(t.Context(), cc)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, s)
	}
	if !slices.Equal(got, want) {
		t.Errorf("RPCs went to %v, want %v", got, want)
	}
}

func wantNoAddress(t *testing.T, cc *grpc.ClientConn) {
	t.Helper()
	_, err := call(t.Context(), cc)
	if st := status.Convert(err); st.Code() != codes.Unavailable || st.Message() != "there is no address available" {
		t.Errorf("RPC = %v, want UNAVAILABLE and v1's text", err)
	}
}

// RoundRobin: rotation in the order of addition, over the connected addresses,
// which goes on where it was when a state changes.
func TestRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a", "b", "c")
		cc, s := w.dialRoundRobin()
		s.send(add("b"), add("a"), add("c"))
		wantTurns(t, cc, "b", "a", "c", "b")
		w.stop("a")
		wantTurns(t, cc, "c", "b", "c", "b")
		w.start("a")
		time.Sleep(2 * time.Second)
		wantTurns(t, cc, "a", "c", "b", "a")
		w.start("d")
		s.send(add("d"))
		wantTurns(t, cc, "c", "d", "b", "a", "c")
	})
}

// RoundRobin: no address, one, none again, others: RPCs follow.
func TestAddAndDelete(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a", "b")
		cc, s := w.dialRoundRobin()
		if s.target != "target" {
			t.Errorf("Resolve was called for %q, want target", s.target)
		}
		wantNoAddress(t, cc) // before the first update
		s.send()
		wantNoAddress(t, cc)
		s.send(add("a"))
		wantTurns(t, cc, "a", "a")
		s.send(add("b"), del("a"))
		wantTurns(t, cc, "b", "b")
		s.send(del("b"))
		wantNoAddress(t, cc)
		wantState(t, cc, connectivity.TransientFailure)
		s.send(add("a"), add("b"))
		wantTurns(t, cc, "a", "b", "a")
	})
}

// RoundRobin: what makes no sense changes nothing.
func TestUpdatesThatChangeNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a", "b")
		cc, s := w.dialRoundRobin()
		s.send(add("a"), add("a"), add("b"))
		s.send(add("b"), del("nobody"), &naming.Update{Op: 7, Addr: "a"}, nil, &naming.Update{Addr: "a", Metadata: []int{1}})
		wantTurns(t, cc, "a", "b", "a", "b")
		if a, b := w.dialed("a"), w.dialed("b"); a != 1 || b != 1 {
			t.Errorf("a was dialed %d times and b %d, want once each", a, b)
		}
	})
}

// RoundRobin: an address with other Metadata is another address.
func TestMetadataChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a")
		cc, s := w.dialRoundRobin()
		s.send(&naming.Update{Addr: "a", Metadata: "old"})
		s.send(&naming.Update{Addr: "a", Metadata: "new"}, &naming.Update{Op: naming.Delete, Addr: "a", Metadata: "old"})
		s.send(del("a")) // There is no address without Metadata.
		wantTurns(t, cc, "a", "a")
		if n := w.dialed("a"); n != 2 {
			t.Errorf("a was dialed %d times, want 2", n)
		}
	})
}

// RoundRobin: deleted and added again in one update, an address stays connected.
// v1 forgot that it was.
func TestDeletedAndAddedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a", "b")
		cc, s := w.dialRoundRobin()
		s.send(add("a"), add("b"))
		s.send(del("a"), add("a"))
		wantTurns(t, cc, "b", "a", "b", "a")
	})
}

// RoundRobin: Delete while RPCs are in flight; TestRemovedAddressIsDrained has
// the streams.
func TestDeleteDuringRPCs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a", "b")
		cc, s := w.dialRoundRobin()
		s.send(add("a"), add("b"))
		var replies []<-chan reply
		for i := range 200 {
			replies = append(replies, goCall(t.Context(), cc, grpc.WaitForReady(i%2 == 0)))
			switch i % 20 {
			case 10:
				s.updates <- []*naming.Update{del("a")}
			case 19:
				s.updates <- []*naming.Update{add("a")}
			}
		}
		time.Sleep(time.Second)
		for _, c := range replies {
			if r := ended(t, c); r.err != nil {
				t.Errorf("RPC = %v, want nil", r.err)
			}
		}
	})
}

// RoundRobin: a server that is down is skipped; with all down, fail-fast RPCs
// fail as UNAVAILABLE and wait-for-ready RPCs wait for the first Up.
func TestAllDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a", "b")
		cc, s := w.dialRoundRobin()
		s.send(add("a"), add("b"))
		w.stop("a")
		w.stop("b")
		if _, err := call(t.Context(), cc); status.Code(err) != codes.Unavailable {
			t.Errorf("fail-fast RPC = %v, want UNAVAILABLE", err)
		}
		waiting := goCall(t.Context(), cc, grpc.WaitForReady(true))
		pending(t, waiting)
		w.start("b")
		time.Sleep(2 * time.Second)
		if r := ended(t, waiting); r.server != "b" {
			t.Errorf("wait-for-ready RPC = %q, %v, want b", r.server, r.err)
		}
	})
}

// RoundRobin: wait-for-ready RPCs wait for an address, until their deadline.
func TestWaitForAnAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a")
		cc, s := w.dialRoundRobin()
		var waiting []<-chan reply
		for range 50 {
			waiting = append(waiting, goCall(t.Context(), cc, grpc.WaitForReady(true)))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := call(ctx, cc, grpc.WaitForReady(true)); status.Code(err) != codes.DeadlineExceeded {
			t.Errorf("RPC = %v, want DEADLINE_EXCEEDED", err)
		}
		ctx, cancel = context.WithCancel(t.Context())
		cancelled := goCall(ctx, cc, grpc.WaitForReady(true))
		pending(t, cancelled)
		cancel()
		time.Sleep(time.Millisecond)
		if r := ended(t, cancelled); status.Code(r.err) != codes.Canceled {
			t.Errorf("RPC = %v, want CANCELLED", r.err)
		}
		pending(t, waiting[0])
		s.send(add("a"))
		time.Sleep(time.Second)
		for _, c := range waiting {
			if r := ended(t, c); r.server != "a" {
				t.Errorf("RPC = %q, %v, want a", r.server, r.err)
			}
		}
	})
}

// RoundRobin: a watcher's error stops the updates and keeps the addresses.
func TestWatcherFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a", "b")
		cc, s := w.dialRoundRobin()
		s.send(add("a"))
		s.errs <- errors.New("the source is gone")
		synctest.Wait()
		wantTurns(t, cc, "a", "a")
		w.stop("a")
		w.start("a")
		time.Sleep(2 * time.Second)
		wantTurns(t, cc, "a")
	})
}

// RoundRobin: an error from Resolve is one from Start.
func TestResolveFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t, "a"), newScript()
		s.fail = errors.New("no such service")
		cc := w.dial(v1adapter.DialOptions(v1adapter.RoundRobin(s))...)
		if _, err := call(t.Context(), cc); status.Code(err) != codes.Unavailable {
			t.Errorf("RPC = %v, want UNAVAILABLE", err)
		}
		s.fail = nil
		cc.Connect()
		synctest.Wait()
		s.send(add("a"))
		wantTurns(t, cc, "a")
	})
}

// RoundRobin: without a resolver the target is the only address.
func TestRoundRobinWithoutResolver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cc := newWorld(t, "target").dial(v1adapter.DialOptions(v1adapter.RoundRobin(nil))...)
		wantTurns(t, cc, "target", "target")
	})
}

// RoundRobin: Close ends a Get that waits, the watcher and the lists.
func TestCloseOfRoundRobin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		b := v1adapter.RoundRobin(s)
		if err := b.Start("x", v1adapter.BalancerConfig{}); err != nil {
			t.Fatal(err)
		}
		waiting := make(chan error)
		go func() {
			_, _, err := b.Get(t.Context(), v1adapter.BalancerGetOptions{BlockingWait: true})
			waiting <- err
		}()
		synctest.Wait()
		if err := b.Close(); err != nil {
			t.Errorf("Close() = %v, want nil", err)
		}
		if err := <-waiting; !errors.Is(err, v1adapter.ErrClientConnClosing) {
			t.Errorf("Get() = %v, want ErrClientConnClosing", err)
		}
		<-s.closed
		if l, ok := <-b.Notify(); ok {
			t.Errorf("Notify sent %v after Close, want it closed", l)
		}
		_, _, get := b.Get(t.Context(), v1adapter.BalancerGetOptions{})
		if start := b.Start("x", v1adapter.BalancerConfig{}); !errors.Is(get, grpc.ErrClientConnClosing) || !errors.Is(start, grpc.ErrClientConnClosing) { //nolint:staticcheck // what v1 code compares with
			t.Errorf("after Close: Get() = %v, Start() = %v, want ErrClientConnClosing", get, start)
		}
		if err := b.Close(); err == nil || err.Error() != "grpc: balancer is closed" {
			t.Errorf("second Close() = %v, want v1's error", err)
		}
	})
}

// slowResolver is a script that takes its time to resolve.
type slowResolver struct {
	*script
	release chan struct{}
}

func (r slowResolver) Resolve(target string) (naming.Watcher, error) {
	<-r.release
	return r.script.Resolve(target)
}

// RoundRobin: Close during Start closes the watcher that Start then gets.
func TestCloseDuringStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := slowResolver{newScript(), make(chan struct{})}
		b := v1adapter.RoundRobin(r)
		started := make(chan error)
		go func() { started <- b.Start("x", v1adapter.BalancerConfig{}) }()
		synctest.Wait()
		if err := b.Close(); err != nil {
			t.Errorf("Close() = %v, want nil", err)
		}
		close(r.release)
		if err := <-started; !errors.Is(err, v1adapter.ErrClientConnClosing) {
			t.Errorf("Start() = %v, want ErrClientConnClosing", err)
		}
		<-r.closed
	})
}

// RoundRobin: one that is started twice says so.
func TestRoundRobinIsForOneChannel(t *testing.T) {
	b := v1adapter.RoundRobin(nil)
	if err := b.Start("x", v1adapter.BalancerConfig{}); err != nil {
		t.Fatal(err)
	}
	if err := b.Start("y", v1adapter.BalancerConfig{}); err == nil {
		t.Error("a second Start() = nil, want an error")
	}
}
