package scstate

import (
	"errors"
	"slices"
	"sync/atomic"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/resolver"
)

// errClosed is what UpdateClientConnState returns after Close.
var errClosed = errors.New("scstate: resolver update for a balancer that is closed")

var _ balancer.Balancer = (*feed)(nil)

// feed stands between grpc and one policy: every call into the policy goes
// through its buffer, and whoever holds running calls the policy.
type feed struct {
	// Set by Build, then read-only.
	cc       balancer.ClientConn
	detached bool
	policy   balancer.Balancer
	receiver Receiver // nil unless policy implements it

	buf     Buffer[Update]
	running atomic.Bool  // held by the goroutine that may call the policy
	calling atomic.Int32 // calls that the policy has under way into cc

	// Touched only by the goroutine that holds running.
	spare  []Update
	closed bool
}

// put queues u and sees to it that it is run. It returns false after Close.
func (f *feed) put(u Update) bool {
	if !f.buf.Put(u) {
		return false
	}
	f.kick()
	return true
}

// putHealth is put for a health report. grpc holds a lock of the SubConn's
// meanwhile, and registering a health listener takes it too: what is queued in
// front of the report, and may do that, has to run elsewhere.
func (f *feed) putHealth(u Update) {
	if !f.running.Load() && f.buf.Len() == 0 {
		f.put(u)
		return
	}
	if f.buf.Put(u) && !f.running.Load() { // Else whoever is at it will see u.
		go f.kick()
	}
}

// call queues fn, a call into the policy other than a listener.
func (f *feed) call(fn func()) bool {
	return f.put(Update{deliver: func(balancer.SubConnState) { fn() }})
}

// enter and leave surround each call of the policy into grpc: during one, a
// call that comes back must not wait for the policy.
func (f *feed) enter() { f.calling.Add(1) }
func (f *feed) leave() { f.calling.Add(-1) }

// kick runs what is queued, unless somebody else is at it and will.
func (f *feed) kick() {
	if !f.running.CompareAndSwap(false, true) {
		return
	}
	if f.detached {
		go f.drain()
		return
	}
	f.drain()
}

// release gives up running without leaving behind what came meanwhile.
func (f *feed) release() {
	f.running.Store(false)
	if f.buf.Len() > 0 {
		f.kick()
	}
}

// drain runs the policy until the buffer is empty. The caller holds running,
// drain gives it up.
func (f *feed) drain() {
	for {
		for f.runBatch() {
		}
		f.running.Store(false)
		// A Put that came after the last Take saw the feed running and left.
		if f.buf.Len() == 0 || !f.running.CompareAndSwap(false, true) {
			return
		}
	}
}

// runBatch runs what is queued now, and returns false if nothing was. The
// caller holds running.
func (f *feed) runBatch() bool {
	batch := f.buf.Take(f.spare)
	f.run(batch)
	f.spare = batch
	return len(batch) > 0
}

func (f *feed) run(batch []Update) {
	for len(batch) > 0 {
		n := 0
		for n < len(batch) && batch[n].SubConn != nil {
			n++
		}
		if n > 0 {
			// The Receiver may append to its batch: not over what follows.
			f.runChanges(batch[:n:n])
			batch = batch[n:]
			continue
		}
		batch[0].Deliver()
		batch = batch[1:]
	}
}

// runChanges hands over neighbouring SubConn changes.
func (f *feed) runChanges(changes []Update) {
	if f.receiver != nil {
		if live := slices.DeleteFunc(changes, stale); len(live) > 0 {
			f.receiver.Receive(live)
		}
		return
	}
	for _, u := range changes {
		switch {
		case stale(u): // Also after an earlier change of this batch.
		case u.deliver != nil:
			u.deliver(u.State)
		default: // The policy is of the old kind, without listeners.
			f.policy.UpdateSubConnState(u.SubConn, u.State)
		}
	}
}

// UpdateClientConnState returns the policy's error, or nil where the package
// documentation says that it does not wait.
func (f *feed) UpdateClientConnState(s balancer.ClientConnState) error {
	if f.running.CompareAndSwap(false, true) {
		if !f.detached {
			// The caller's goroutine may call the policy, nothing to allocate.
			f.runBatch() // What came before; only that, lest it never end.
			err := f.update(s)
			f.drain()
			return err
		}
		if f.buf.Len() == 0 && f.calling.Load() == 0 {
			// With running held nothing can get in between and delay the caller.
			done := make(chan error, 1)
			go func() {
				done <- f.update(s)
				f.drain()
			}()
			return <-done
		}
		f.release()
	}
	if f.detached || f.calling.Load() > 0 {
		return f.postClientConnState(s)
	}
	done := make(chan error, 1)
	if !f.call(func() { done <- f.policy.UpdateClientConnState(s) }) {
		return errClosed
	}
	return <-done
}

// update calls the policy. The caller holds running.
func (f *feed) update(s balancer.ClientConnState) error {
	if f.closed {
		return errClosed
	}
	return f.policy.UpdateClientConnState(s)
}

// postClientConnState queues s without waiting for the policy's answer.
func (f *feed) postClientConnState(s balancer.ClientConnState) error {
	ok := f.call(func() {
		if err := f.policy.UpdateClientConnState(s); errors.Is(err, balancer.ErrBadResolverState) {
			f.enter()
			defer f.leave()
			f.cc.ResolveNow(resolver.ResolveNowOptions{})
		}
	})
	if !ok {
		return errClosed
	}
	return nil
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
	last := Update{deliver: func(balancer.SubConnState) {
		f.closed = true
		f.policy.Close()
	}}
	if f.buf.putLast(last) {
		f.kick()
	}
}

func isShutdown(s balancer.SubConnState) bool {
	return s.ConnectivityState == connectivity.Shutdown
}
