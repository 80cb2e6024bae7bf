package scstate

import (
	"errors"
	"slices"
	"sync/atomic"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/resolver"

	"github.com/evenkeel-grpc/evenkeel/internal/snapshot"
)

// errClosed is what UpdateClientConnState returns after Close.
var errClosed = errors.New("scstate: resolver update for a balancer that is closed")

var _ balancer.Balancer = (*feed)(nil)

// feed stands between grpc and one policy: every call into the policy goes
// through its queue, and whoever holds the queue makes it.
type feed struct {
	// Set by Build, then read-only.
	cc       *clientConn
	detached bool
	policy   balancer.Balancer
	receiver Receiver // nil unless policy implements it

	queue   queue
	outward outward
	// outer is the feed of the policy that this one is a child of, as far as it
	// is known.
	outer atomic.Pointer[feed]
	// parked is true while the queue is held for a call that waits in outer's
	// queue: what waits for that call from within outer's waits for ever.
	parked atomic.Bool

	alone [1]Update // the health report that is being delivered; touched only by whoever holds the queue
}

// change queues a change of a SubConn and sees to it that it is run. It does
// nothing after Close.
func (f *feed) change(u Update) {
	if _, hold := f.queue.put(u); hold {
		f.run()
	}
}

// call is change for any other call into the policy. It returns false after
// Close.
func (f *feed) call(fn func()) bool {
	ok, hold := f.queue.putCall(fn)
	if hold {
		f.run()
	}
	return ok
}

// post is call for the policy's own timers, pickers and goroutines. A child's are
// calls of its parent's feed too: a policy that intercepts the calls of its
// children needs no lock against them either.
func (f *feed) post(fn func()) bool {
	outer := f.outer.Load()
	if outer == nil || f.detached {
		return f.call(fn)
	}
	return !f.queue.isClosed() && outer.post(func() { f.call(fn) })
}

// run makes the calls that are queued. The caller holds the queue.
func (f *feed) run() {
	if f.detached {
		go f.drain()
		return
	}
	f.drain()
}

// runElsewhere is run for a goroutine that grpc's lock of a SubConn keeps from
// making any call. The caller holds the queue.
func (f *feed) runElsewhere() {
	outer := f.outer.Load()
	if outer == nil || f.detached {
		go f.drain()
		return
	}
	f.parked.Store(true)
	if !outer.call(f.unpark) {
		go f.unpark()
	}
}

func (f *feed) unpark() {
	f.parked.Store(false)
	f.drain()
}

// drain makes calls until none is queued, which ends the hold.
func (f *feed) drain() {
	for b := f.queue.next(); !b.empty(); b = f.queue.next() {
		done := 0
		for _, c := range b.calls {
			f.deliver(b.changes[done:c.after])
			done = c.after
			c.fn()
		}
		f.deliver(b.changes[done:])
	}
}

// deliver hands over neighbouring changes.
func (f *feed) deliver(changes []Update) {
	if f.receiver == nil {
		for _, u := range changes {
			u.Deliver()
		}
		return
	}
	// The Receiver may append to its batch: not over what follows.
	if live := slices.DeleteFunc(slices.Clip(changes), stale); len(live) > 0 {
		f.receiver.Receive(live)
	}
}

// health takes a health report. grpc holds a lock of the SubConn's meanwhile,
// which registering a health listener takes too. So nothing but the report may
// run here; what else is queued runs elsewhere.
func (f *feed) health(sc *subConn, u Update) {
	if !f.detached && f.queue.claim() {
		sc.reporting.Store(true)
		f.alone[0] = u
		f.deliver(f.alone[:])
		f.alone[0] = Update{}
		sc.reporting.Store(false)
		if !f.queue.release() {
			f.runElsewhere()
		}
		return
	}
	if _, hold := f.queue.put(u); hold {
		f.runElsewhere()
	}
}

// UpdateClientConnState returns the policy's error, or nil where the package
// documentation says that it does not wait.
func (f *feed) UpdateClientConnState(s balancer.ClientConnState) error {
	if !f.detached && f.queue.claim() {
		err := f.policy.UpdateClientConnState(s)
		f.drain()
		return err
	}
	s.ResolverState = snapshot.State(s.ResolverState) // The call may be over before the policy has seen it.
	var settled atomic.Bool                           // whether the caller gets the policy's answer
	answer := make(chan error, 1)
	ok, hold := f.queue.putCall(func() {
		err := f.policy.UpdateClientConnState(s)
		if settled.CompareAndSwap(false, true) {
			answer <- err
		} else if errors.Is(err, balancer.ErrBadResolverState) {
			f.cc.ResolveNow(resolver.ResolveNowOptions{})
		}
	})
	if !ok {
		return errClosed
	}
	if hold {
		f.run()
	}
	if hold || !f.detached && !f.parked.Load() {
		select {
		case err := <-answer:
			return err
		case <-f.outward.begun(): // Waiting on could be waiting for oneself.
		}
	}
	if settled.CompareAndSwap(false, true) {
		return nil
	}
	return <-answer
}

func (f *feed) ResolverError(err error) {
	f.call(func() { f.policy.ResolverError(err) })
}

func (f *feed) ExitIdle() {
	f.call(func() { f.policy.ExitIdle() })
}

// UpdateSubConnState is never called by grpc: every SubConn that the policy
// creates has the feed's listener.
func (f *feed) UpdateSubConnState(balancer.SubConn, balancer.SubConnState) {}

// Close lets the policy see what arrived before, closes it, and drops whatever
// comes later.
func (f *feed) Close() {
	if _, hold := f.queue.putLast(f.policy.Close); hold {
		f.run()
	}
}

func isShutdown(s balancer.SubConnState) bool {
	return s.ConnectivityState == connectivity.Shutdown
}
