package scstate

import "sync/atomic"

// outward knows of the policy's calls into its ClientConn and its SubConns.
// During one, a call that comes back must not wait for the policy.
type outward struct {
	calls   atomic.Int32                  // under way
	waiting atomic.Pointer[chan struct{}] // closed by the next call; nil if nobody waits for it
}

func (o *outward) enter() {
	o.calls.Add(1)
	o.wake()
}

func (o *outward) leave() { o.calls.Add(-1) }

// begun returns a channel that is closed once there is a call under way, at once
// if there is one already.
func (o *outward) begun() <-chan struct{} {
	c := o.waiting.Load()
	for c == nil {
		fresh := make(chan struct{})
		o.waiting.CompareAndSwap(nil, &fresh)
		c = o.waiting.Load()
	}
	// Either this sees the call, or enter sees the channel.
	if o.calls.Load() > 0 {
		o.wake()
	}
	return *c
}

func (o *outward) wake() {
	if c := o.waiting.Load(); c != nil && o.waiting.CompareAndSwap(c, nil) {
		close(*c)
	}
}
