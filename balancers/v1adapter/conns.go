package v1adapter

import (
	"errors"
	"fmt"
	"sync/atomic"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/resolver"

	"github.com/evenkeel-grpc/evenkeel/scstate"
)

// What down functions are called with, in v1's words.
var (
	errConnDrain   = errors.New("grpc: the connection is drained")
	errConnClosing = errors.New("grpc: the connection is closing")
)

// conn is the connection to one address that Notify has listed.
type conn struct {
	// Set once.
	addr   Address
	sc     balancer.SubConn
	direct balancer.SubConn // sc as pickers have to return it

	// Touched only by calls from the feed, so unlocked.
	removed bool
	down    func(error) // what Up returned, nil while not READY

	// Read by pickers.
	status atomic.Pointer[connStatus]
}

// connStatus is the state of a conn. IDLE counts as CONNECTING, which it is
// about to be.
type connStatus struct {
	state connectivity.State
	err   error // the last failure to connect
}

// apply makes the connections those to the addresses of a list. The map is a new
// one: pickers have the last, and a map that has had many entries stays large.
func (a *adapter) apply(list []Address) {
	a.listed = true
	old := a.conns
	a.conns = make(map[Address]*conn, len(list))
	// In the list's order, and the new ones before the old ones go, as in v1.
	for _, addr := range list {
		switch {
		case !isComparable(addr):
			logger.Errorf("target %q: address %q from Notify is ignored: its Metadata, a %T, is not comparable", a.target, addr.Addr, addr.Metadata)
		case old[addr] != nil:
			a.conns[addr] = old[addr]
		case a.conns[addr] == nil:
			a.connect(addr)
		}
	}
	a.picker.setConns(a.conns)
	for addr, c := range old {
		if a.conns[addr] == nil {
			a.disconnect(c, errConnDrain)
		}
	}
	a.aggregate()
	a.publish() // RPCs may have been picked for what is gone.
}

// connect adds a connection.
func (a *adapter) connect(addr Address) {
	c := &conn{addr: addr}
	c.status.Store(&connStatus{state: connectivity.Connecting})
	sc, err := a.cc.NewSubConn([]resolver.Address{{Addr: addr.Addr}}, balancer.NewSubConnOptions{
		StateListener: func(s balancer.SubConnState) { a.update(c, s) },
	})
	if err != nil { // The channel is closing.
		logger.Warningf("target %q: connection to %q: %v", a.target, addr.Addr, err)
		return
	}
	c.sc, c.direct = sc, scstate.Base(sc)
	a.conns[addr] = c
	a.states.RecordTransition(connectivity.Shutdown, connectivity.Connecting)
	sc.Connect()
}

// disconnect ends a connection that has left the list. RPCs on it go on.
func (a *adapter) disconnect(c *conn, cause error) {
	c.removed = true
	a.states.RecordTransition(c.status.Load().state, connectivity.Shutdown)
	c.sc.Shutdown()
	c.lost(cause)
}

// lost calls the function that Up returned, if there is one.
func (c *conn) lost(cause error) {
	if down := c.down; down != nil {
		c.down = nil
		down(cause)
	}
}

// update handles a change of a connection's state.
func (a *adapter) update(c *conn, s balancer.SubConnState) {
	if c.removed || s.ConnectivityState == connectivity.Shutdown {
		return
	}
	if s.ConnectivityState == connectivity.Idle {
		c.sc.Connect()
	}
	old := c.status.Load()
	now := old.next(s)
	c.status.Store(now) // First: Up may end a Get, whose RPC looks.
	a.states.RecordTransition(old.state, now.state)
	switch {
	case old.state != connectivity.Ready && now.state == connectivity.Ready:
		c.down = a.v1.Up(c.addr)
	case old.state == connectivity.Ready && now.state != connectivity.Ready:
		c.lost(closing(s.ConnectionError))
	}
	a.changed = true
	if a.aggregate() {
		a.publish()
	}
}

// next returns the status after a change.
func (o *connStatus) next(s balancer.SubConnState) *connStatus {
	switch s.ConnectivityState {
	case connectivity.TransientFailure:
		return &connStatus{connectivity.TransientFailure, s.ConnectionError}
	case connectivity.Ready:
		return &connStatus{connectivity.Ready, nil}
	default:
		return &connStatus{connectivity.Connecting, o.err}
	}
}

// closing is the error for a connection that was lost.
func closing(cause error) error {
	if cause == nil {
		return errConnClosing
	}
	return fmt.Errorf("%w: %w", errConnClosing, cause)
}

// aggregate computes the channel's state and reports whether it has changed.
// Before the first list that stays CONNECTING; with an empty one it is
// TRANSIENT_FAILURE.
func (a *adapter) aggregate() bool {
	old := a.state
	if a.listed {
		a.state = a.states.CurrentState()
	}
	return a.state != old
}
