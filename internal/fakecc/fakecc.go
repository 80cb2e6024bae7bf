// Package fakecc fakes the channel that a balancer is built for, so that a test
// can put SubConns through states that a real channel cannot be made to take.
//
// # Use
//
//	cc := &fakecc.ClientConn{}
//	b := scstate.Wrap(builder).Build(cc, balancer.BuildOptions{})
//
// Then the test sets the states of cc's SubConns and reads what the balancer
// published.
//
// # Concurrency
//
// Everything may be called from any goroutine. Listeners run on the caller's,
// without a lock held, as in grpc's own fakes.
package fakecc

import (
	"slices"
	"sync"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/resolver"
)

// ClientConn is a fake balancer.ClientConn. The zero value is ready for use.
type ClientConn struct {
	balancer.ClientConn // nil: what is not faked panics

	// ManualHealth leaves health reports to the test. Otherwise a registered
	// health listener hears READY at once, as on a channel without health checks.
	ManualHealth bool
	// Discard keeps no history of states, for benchmarks.
	Discard bool

	mu       sync.Mutex // guards the fields below
	subConns []*SubConn
	states   []balancer.State
	taken    int // states that TakeStates has returned
	resolves int
}

// NewSubConn implements balancer.ClientConn.
func (c *ClientConn) NewSubConn(addrs []resolver.Address, opts balancer.NewSubConnOptions) (balancer.SubConn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	sc := &SubConn{Addr: addrs[0], cc: c, listener: opts.StateListener}
	c.subConns = append(c.subConns, sc)
	return sc, nil
}

// UpdateState implements balancer.ClientConn.
func (c *ClientConn) UpdateState(s balancer.State) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.Discard {
		c.states, c.taken = c.states[:0], 0
	}
	c.states = append(c.states, s)
}

// ResolveNow implements balancer.ClientConn.
func (c *ClientConn) ResolveNow(resolver.ResolveNowOptions) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.resolves++
}

// ResolveNows returns how often ResolveNow was called.
func (c *ClientConn) ResolveNows() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.resolves
}

// SubConns returns all SubConns ever created, oldest first.
func (c *ClientConn) SubConns() []*SubConn {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.subConns)
}

// SubConn returns the newest SubConn for an address, or nil.
func (c *ClientConn) SubConn(addr string) *SubConn {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, sc := range slices.Backward(c.subConns) {
		if sc.Addr.Addr == addr {
			return sc
		}
	}
	return nil
}

// TakeStates returns the connectivity states published since the last call.
func (c *ClientConn) TakeStates() []connectivity.State {
	c.mu.Lock()
	defer c.mu.Unlock()
	var taken []connectivity.State
	for _, s := range c.states[c.taken:] {
		taken = append(taken, s.ConnectivityState)
	}
	c.taken = len(c.states)
	return taken
}

// State returns the last published state, or the zero State.
func (c *ClientConn) State() balancer.State {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.states) == 0 {
		return balancer.State{}
	}
	return c.states[len(c.states)-1]
}
