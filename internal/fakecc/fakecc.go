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
	"fmt"
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
	// Serialize never calls a listener from inside a call of the balancer's, as
	// grpc's serializer does not: what such a call causes waits for Deliver.
	Serialize bool
	// Discard keeps no history, for benchmarks.
	Discard bool
	// Closing makes NewSubConn fail, as on a channel that is being closed.
	Closing bool

	mu       sync.Mutex // guards the fields below
	subConns []*SubConn
	states   []balancer.State
	taken    int // states that TakeStates has returned
	resolves int
	calls    []string // since the last TakeCalls
	pending  []func() // listener calls that wait for Deliver
}

// NewSubConn implements balancer.ClientConn.
func (c *ClientConn) NewSubConn(addrs []resolver.Address, opts balancer.NewSubConnOptions) (balancer.SubConn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.Closing {
		return nil, fmt.Errorf("fakecc: NewSubConn(%q): the channel is closing", addrs[0].Addr)
	}
	sc := &SubConn{Addr: addrs[0], cc: c, listener: opts.StateListener}
	c.subConns = append(c.subConns, sc)
	c.logLocked("new ", names(addrs))
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
	c.logLocked("now ", s.ConnectivityState.String())
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

// TakeCalls returns what the balancer has done since the last call, oldest
// first: "new a:1", "connect a:1", "health a:1", "shutdown a:1" for a SubConn of
// that address, and "now READY" for a state that it published.
func (c *ClientConn) TakeCalls() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	taken := c.calls
	c.calls = nil
	return taken
}

// Deliver makes the listener calls that wait because of Serialize, and those
// that they cause, oldest first. It returns whether there were any.
func (c *ClientConn) Deliver() bool {
	for n := 0; ; n++ {
		c.mu.Lock()
		if len(c.pending) == 0 {
			c.mu.Unlock()
			return n > 0
		}
		next := c.pending[0]
		c.pending = c.pending[1:]
		c.mu.Unlock()
		next()
	}
}

// later makes a listener call now, or leaves it to Deliver.
func (c *ClientConn) later(call func()) {
	if !c.Serialize {
		call()
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pending = append(c.pending, call)
}

// names is what TakeCalls shows of a new SubConn's addresses: there should be
// one.
func names(addrs []resolver.Address) string {
	if len(addrs) > 1 {
		return fmt.Sprintf("%s and %d more", addrs[0].Addr, len(addrs)-1)
	}
	return addrs[0].Addr
}

func (c *ClientConn) log(what, about string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.logLocked(what, about)
}

func (c *ClientConn) logLocked(what, about string) {
	if !c.Discard {
		c.calls = append(c.calls, what+about)
	}
}
