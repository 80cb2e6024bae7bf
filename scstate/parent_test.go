package scstate_test

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/resolver"

	"github.com/evenkeel-grpc/evenkeel/scstate"
)

// lockingParent is a parent that holds one lock in both directions: around its
// calls into its child, and while the child calls it. The lock is a channel, so
// that a bubble notices a deadlock.
type lockingParent struct {
	balancer.ClientConn // grpc's

	lock   chan struct{}
	states int
}

func newLockingParent(cc balancer.ClientConn) *lockingParent {
	return &lockingParent{ClientConn: cc, lock: make(chan struct{}, 1)}
}

func (p *lockingParent) locked(fn func()) {
	p.lock <- struct{}{}
	defer func() { <-p.lock }()
	fn()
}

func (p *lockingParent) UpdateState(balancer.State) { p.locked(func() { p.states++ }) }

func (p *lockingParent) ResolveNow(o resolver.ResolveNowOptions) {
	p.locked(func() { p.ClientConn.ResolveNow(o) })
}

// The child's timer calls the parent after the update has begun to wait for the
// child, with the lock that the call needs.
func TestAnUpdateDoesNotWaitForACallThatWaitsForIt(t *testing.T) {
	inEachMode(t, func(t bubble) {
		p, cc := &fakePolicy{}, &fakeClientConn{}
		parent := newLockingParent(cc)
		b := build(t, p, parent, t.opts...)
		p.onUpdate = func(balancer.ClientConnState) error { return balancer.ErrBadResolverState }
		time.AfterFunc(0, func() {
			scstate.Post(p.cc, func() {
				p.call("timer", func() {
					time.Sleep(time.Second)
					p.cc.UpdateState(balancer.State{})
				})
			})
		})
		synctest.Wait()
		parent.locked(func() {
			if err := b.UpdateClientConnState(update("x")); err != nil {
				t.Errorf("UpdateClientConnState = %v, want nil: the policy has not seen it", err)
			}
		})
		time.Sleep(time.Minute)
		synctest.Wait()
		if diff := cmp.Diff([]string{"timer", "update x"}, p.calls()); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
		if got := cc.resolved(); got != 1 {
			t.Errorf("ResolveNow calls for an ErrBadResolverState that came too late = %d, want 1", got)
		}
	})
}

// A detached policy's answer to the update itself may need the lock that the
// update holds. Inline the policy runs on the goroutine that has the lock, as
// grpc's own policies do, and the parent cannot be helped.
func TestDetachedAParentMayHoldALockInBothDirections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &fakePolicy{}
		parent := newLockingParent(&fakeClientConn{})
		b := build(t, p, parent, scstate.Detached())
		p.onUpdate = func(balancer.ClientConnState) error {
			p.cc.UpdateState(balancer.State{})
			return errors.New("too late for the caller")
		}
		for range 3 {
			parent.locked(func() {
				if err := b.UpdateClientConnState(update("x")); err != nil {
					t.Errorf("UpdateClientConnState = %v, want nil", err)
				}
			})
		}
		synctest.Wait()
		if parent.states != 3 {
			t.Errorf("states that reached the parent = %d, want 3", parent.states)
		}
	})
}

// An update that is queued outlives the resolver's call, who may use its slices
// again.
func TestAQueuedUpdateIsACopy(t *testing.T) {
	inEachMode(t, func(t bubble) {
		p := &fakePolicy{}
		b := build(t, p, &fakeClientConn{}, t.opts...)
		free := occupy(t, p)
		s := update("first")
		s.ResolverState.Addresses = slices.Clone(s.ResolverState.Endpoints[0].Addresses)
		var addresses []string
		p.onUpdate = func(s balancer.ClientConnState) error {
			for _, a := range s.ResolverState.Addresses {
				addresses = append(addresses, a.Addr)
			}
			return nil
		}
		sent := make(chan struct{})
		go func() { // which waits, inline, until the policy calls out
			if err := b.UpdateClientConnState(s); err != nil {
				t.Errorf("UpdateClientConnState = %v, want nil", err)
			}
			s.ResolverState.Endpoints[0].Addresses[0].Addr = "reused"
			s.ResolverState.Addresses[0].Addr = "reused"
			close(sent)
		}()
		synctest.Wait()
		p.cc.ResolveNow(resolver.ResolveNowOptions{}) // from a goroutine of the policy's, say
		<-sent
		free()
		synctest.Wait()
		if diff := cmp.Diff([]string{"busy", "update first"}, p.calls()); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"first"}, addresses); diff != "" {
			t.Errorf("addresses (-want +got):\n%s", diff)
		}
	})
}

// intercepting is a parent in a feed that embeds its ClientConn to see what its
// one child reports. It has no lock: its feed is one.
type intercepting struct {
	*fakePolicy
	inner  *fakePolicy
	opts   []scstate.Option
	child  balancer.Balancer
	states []connectivity.State
}

func (p *intercepting) Build(cc balancer.ClientConn, o balancer.BuildOptions) balancer.Balancer {
	p.cc = cc
	p.child = scstate.Wrap(p.inner, p.opts...).Build(interceptingConn{cc, p}, o)
	return p
}

func (p *intercepting) UpdateClientConnState(s balancer.ClientConnState) error {
	return p.child.UpdateClientConnState(s)
}

func (p *intercepting) Close() { p.child.Close() }

type interceptingConn struct {
	balancer.ClientConn
	parent *intercepting
}

func (c interceptingConn) UpdateState(s balancer.State) {
	// "beside another call" is a fault, and the race detector watches the slice.
	c.parent.call("state", func() { c.parent.states = append(c.parent.states, s.ConnectivityState) })
	c.ClientConn.UpdateState(s)
}

func TestAChildsTimersAreCallsOfItsParents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := &fakePolicy{}
		parent := &intercepting{fakePolicy: &fakePolicy{}, inner: inner}
		cc := &fakeClientConn{}
		b := scstate.Wrap(parent).Build(cc, balancer.BuildOptions{})
		t.Cleanup(func() {
			for _, f := range append(parent.faults, inner.faults...) {
				t.Error(f)
			}
		})
		if _, err := inner.cc.NewSubConn(update("sc").ResolverState.Endpoints[0].Addresses, balancer.NewSubConnOptions{}); err != nil {
			t.Fatal(err) // By its first SubConn the feed learns whose child it is.
		}
		const timers = 50
		for range timers {
			time.AfterFunc(time.Second, func() {
				scstate.Post(inner.cc, func() {
					inner.call("timer", func() { inner.cc.UpdateState(balancer.State{}) })
				})
				scstate.Post(parent.cc, func() { parent.call("timer", nil) })
			})
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(parent.states) != timers {
			t.Errorf("states that reached the parent = %d, want %d", len(parent.states), timers)
		}
		b.Close()
		if scstate.Post(inner.cc, func() {}) {
			t.Error("Post to a closed child = true, want false")
		}
	})
}

// What a health report leaves to another goroutine is a call of the parent's too.
func TestWhatAHealthReportLeavesIsACallOfTheParents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := &fakePolicy{}
		parent := &intercepting{fakePolicy: &fakePolicy{}, inner: inner}
		scstate.Wrap(parent).Build(lockedClientConn{}, balancer.BuildOptions{})
		sc, err := inner.cc.NewSubConn(nil, balancer.NewSubConnOptions{})
		if err != nil {
			t.Fatal(err)
		}
		base, ok := scstate.Base(scstate.Base(sc)).(*lockedSubConn)
		if !ok {
			t.Fatal("the SubConn is not grpc's twice removed")
		}
		inner.on = map[string]func(){"first health READY": func() { inner.logHealth(sc, "second") }}
		inner.logHealth(sc, "first")
		base.report()
		synctest.Wait()
		base.report()
		synctest.Wait()
		if diff := cmp.Diff([]string{"first health READY", "second health READY"}, inner.calls()); diff != "" {
			t.Errorf("calls of the child (-want +got):\n%s", diff)
		}
	})
}

// An update of the parent that is queued before what a health report of its
// child leaves does not wait for it.
func TestAnUpdateDoesNotWaitForWhatComesAfterIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := &fakePolicy{}
		parent := &intercepting{fakePolicy: &fakePolicy{}, inner: inner}
		b := scstate.Wrap(parent).Build(lockedClientConn{}, balancer.BuildOptions{})
		sc, err := inner.cc.NewSubConn(nil, balancer.NewSubConnOptions{})
		if err != nil {
			t.Fatal(err)
		}
		base, ok := scstate.Base(scstate.Base(sc)).(*lockedSubConn)
		if !ok {
			t.Fatal("the SubConn is not grpc's twice removed")
		}
		inner.on = map[string]func(){"first health READY": func() {
			go func() { _ = b.UpdateClientConnState(update("x")) }()
			time.Sleep(time.Second) // until it is queued
			inner.logHealth(sc, "second")
		}}
		inner.logHealth(sc, "first")
		base.report()
		synctest.Wait()
		if diff := cmp.Diff([]string{"first health READY", "update x"}, inner.calls()); diff != "" {
			t.Errorf("calls of the child (-want +got):\n%s", diff)
		}
	})
}
