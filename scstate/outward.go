package scstate

import "sync"

// outward knows of the policy's calls into its ClientConn and its SubConns.
// During one, a call that comes back must not wait for the policy.
type outward struct {
	mu    sync.Mutex    // guards the fields below
	calls int           // under way
	begin chan struct{} // closed by the next call; nil if nobody waits for it
}

func (o *outward) enter() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.calls++
	if o.begin != nil {
		close(o.begin)
		o.begin = nil
	}
}

func (o *outward) leave() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.calls--
}

// begun returns a channel that is closed once there is a call under way, at
// once if there is one already.
func (o *outward) begun() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.calls > 0 {
		c := make(chan struct{})
		close(c)
		return c
	}
	if o.begin == nil {
		o.begin = make(chan struct{})
	}
	return o.begin
}
