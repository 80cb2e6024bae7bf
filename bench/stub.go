package main

import (
	"sync"
	"sync/atomic"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/resolver"
)

// channel is the balancer.ClientConn of the rows without a network. As grpc's,
// it delivers SubConn states and health reports one after the other and never
// from inside a call of the balancer's, unless told to.
//
// Everything that it needs is allocated beforehand, so that what a run allocates
// is the balancer's.
type channel struct {
	balancer.ClientConn // nil: what is not faked panics

	autoReady bool   // Connect makes a SubConn READY
	nested    bool   // health reports come from inside RegisterHealthListener
	once      func() // called from inside the next UpdateState

	mu     sync.Mutex // guards the fields below
	arena  []subConn  // all SubConns; the array never moves
	events []event    // still to be delivered
	state  balancer.State
}

// event is a state to report to one of a SubConn's listeners.
type event struct {
	sc     *subConn
	state  connectivity.State
	health bool
}

// newChannel returns a channel with room for n SubConns.
func newChannel(n int) *channel {
	return &channel{arena: make([]subConn, 0, n), events: make([]event, 0, 2*n)}
}

// NewSubConn implements balancer.ClientConn.
func (c *channel) NewSubConn(_ []resolver.Address, opts balancer.NewSubConnOptions) (balancer.SubConn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.arena) == cap(c.arena) { // Spare ones replace those that were removed.
		return &subConn{cc: c, listener: opts.StateListener}, nil
	}
	c.arena = append(c.arena, subConn{cc: c, listener: opts.StateListener})
	return &c.arena[len(c.arena)-1], nil
}

// UpdateState implements balancer.ClientConn.
func (c *channel) UpdateState(s balancer.State) {
	c.mu.Lock()
	c.state = s
	once := c.once
	c.once = nil
	c.mu.Unlock()
	if once != nil {
		once()
	}
}

// ResolveNow implements balancer.ClientConn.
func (c *channel) ResolveNow(resolver.ResolveNowOptions) {}

// picker returns the last published picker.
func (c *channel) picker() balancer.Picker {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state.Picker
}

// queue lets drain deliver a state.
func (c *channel) queue(e event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.events = append(c.events, e)
}

// drain delivers what is queued, and what that causes, oldest first. It must not
// be called concurrently.
func (c *channel) drain() {
	for i := 0; ; i++ {
		c.mu.Lock()
		if i == len(c.events) {
			c.events = c.events[:0]
			c.mu.Unlock()
			return
		}
		e := c.events[i]
		c.mu.Unlock()
		e.deliver()
	}
}

func (e event) deliver() {
	f := e.sc.listener
	if e.health {
		f = e.sc.health // nil if the connection has changed its state since
	}
	e.sc.health = nil
	if f != nil {
		f(balancer.SubConnState{ConnectivityState: e.state})
	}
}

// forget drops all that the channel knows of its balancer.
func (c *channel) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state = balancer.State{}
	clear(c.events[:cap(c.events)])
	for i := range c.arena {
		c.arena[i].listener, c.arena[i].health = nil, nil
	}
}

// subConn is a SubConn of a channel.
type subConn struct {
	balancer.SubConn // nil: what is not faked panics

	// Set once.
	cc       *channel
	listener func(balancer.SubConnState)

	// health is touched by deliver and by what that causes, which a balancer may
	// do on another goroutine but not at the same time.
	health   func(balancer.SubConnState)
	connects atomic.Int32
}

// Connect implements balancer.SubConn.
func (s *subConn) Connect() {
	s.connects.Add(1)
	if s.cc.autoReady {
		s.cc.queue(event{sc: s, state: connectivity.Ready})
	}
}

// Shutdown implements balancer.SubConn.
func (s *subConn) Shutdown() { s.cc.queue(event{sc: s, state: connectivity.Shutdown}) }

// RegisterHealthListener implements balancer.SubConn. The listener hears READY,
// as on a channel without health checks.
func (s *subConn) RegisterHealthListener(f func(balancer.SubConnState)) {
	if s.cc.nested {
		f(balancer.SubConnState{ConnectivityState: connectivity.Ready})
		return
	}
	s.health = f
	if f != nil {
		s.cc.queue(event{sc: s, state: connectivity.Ready, health: true})
	}
}
