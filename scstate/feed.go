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

	changes []Update // for the receiver; touched only by whoever holds the queue
}

// put queues e and sees to it that it is run. It returns false after Close.
func (f *feed) put(e entry) bool {
	ok, hold := f.queue.put(e)
	if hold {
		f.run()
	}
	return ok
}

// call queues fn, a call into the policy other than a change of a SubConn.
func (f *feed) call(fn func()) bool { return f.put(entry{call: fn}) }

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
	if outer == nil || f.detached || !outer.call(f.drain) {
		go f.drain()
	}
}

// drain makes calls until none is queued, which ends the hold.
func (f *feed) drain() {
	for batch := f.queue.next(); len(batch) > 0; batch = f.queue.next() {
		if f.receiver != nil {
			f.changes = slices.Grow(f.changes, len(batch))
		}
		for i := range batch {
			if e := &batch[i]; e.call == nil {
				f.change(e.change)
			} else {
				f.receive()
				e.call()
			}
		}
		f.receive()
	}
}

// change passes on one change, or keeps it until receive if the policy wants
// neighbouring ones together.
func (f *feed) change(u Update) {
	if f.receiver != nil {
		f.changes = append(f.changes, u)
		return
	}
	u.Deliver()
}

// receive hands over the changes that were kept.
func (f *feed) receive() {
	if len(f.changes) == 0 {
		return
	}
	if live := slices.DeleteFunc(f.changes, stale); len(live) > 0 {
		f.receiver.Receive(live)
	}
	clear(f.changes)
	f.changes = trim(f.changes[:0], 0)
}

// health takes a health report. grpc holds a lock of the SubConn's meanwhile,
// which registering a health listener takes too. So nothing but the report may
// run here; what else is queued runs elsewhere.
func (f *feed) health(sc *subConn, u Update) {
	if !f.detached && f.queue.claim() {
		sc.reporting.Store(true)
		f.change(u)
		f.receive()
		sc.reporting.Store(false)
		if !f.queue.release() {
			f.runElsewhere()
		}
		return
	}
	if _, hold := f.queue.put(entry{change: u}); hold {
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
	ok, hold := f.queue.put(entry{call: func() {
		err := f.policy.UpdateClientConnState(s)
		if settled.CompareAndSwap(false, true) {
			answer <- err
		} else if errors.Is(err, balancer.ErrBadResolverState) {
			f.cc.ResolveNow(resolver.ResolveNowOptions{})
		}
	}})
	if !ok {
		return errClosed
	}
	if hold {
		f.run()
	}
	if hold || !f.detached {
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
	if _, hold := f.queue.putLast(entry{call: func() { f.policy.Close() }}); hold {
		f.run()
	}
}

func isShutdown(s balancer.SubConnState) bool {
	return s.ConnectivityState == connectivity.Shutdown
}
