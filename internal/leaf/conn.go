package leaf

import (
	"cmp"
	"errors"
	"fmt"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"
)

// errNoReason stands in for a connection error that was not given: a picker
// without an error would not be one that fails RPCs.
var errNoReason = errors.New("connection failed, no reason given")

// Conn is one SubConn of a leaf.
type Conn struct {
	// Set once, before anybody else sees the Conn.
	leaf *Leaf
	sc   balancer.SubConn
	base balancer.SubConn

	// Touched only by calls from the feed.
	err    error // the last connection error
	index  int32 // of its address in the leaf's list
	raw    uint8
	failed bool // in this pass
	gone   bool // shut down by the leaf

	// Slot is for the owner: where it keeps the Conn.
	Slot int32
}

// SubConn returns grpc's own SubConn, for a picker under scstate.Direct. It may
// be called from any goroutine.
func (c *Conn) SubConn() balancer.SubConn { return c.base }

func (c *Conn) state() connectivity.State { return connectivity.State(c.raw) }

// connAt returns the connection to address i, creating it if there is none, or
// nil if the channel takes no more.
func (l *Leaf) connAt(i int32) *Conn {
	if c := l.conns[i]; c != nil {
		return c
	}
	c := &l.first
	if c.leaf != nil { // A Conn is never used again: pickers may still have it.
		c = new(Conn)
	}
	c.leaf, c.index = l, i
	if !l.newSubConn(c) {
		return nil
	}
	l.conns[i] = c
	return c
}

// stateChanged is the SubConn's StateListener.
func (c *Conn) stateChanged(s balancer.SubConnState) {
	l, was, now := c.leaf, c.state(), s.ConnectivityState
	c.raw = uint8(now)
	if c.gone || now == connectivity.Shutdown {
		return
	}
	if now == connectivity.TransientFailure {
		c.err = cmp.Or(s.ConnectionError, errNoReason)
	}
	switch {
	case now == connectivity.Ready:
		l.connected(c)
	case c == l.probing:
		l.probed(c)
	case was == connectivity.Ready, was == connectivity.Connecting && now == connectivity.Idle:
		// CONNECTING to IDLE is a connection that was lost before its READY was
		// delivered (grpc-go #7862).
		l.disconnected(c)
	case now == connectivity.TransientFailure && l.firstPass:
		l.failedInPass(c)
	case now == connectivity.TransientFailure:
		l.failedAgain(c)
	case now == connectivity.Idle && !l.firstPass:
		c.sc.Connect() // Its backoff is over.
	}
}

// healthChanged is the SubConn's health listener.
func (c *Conn) healthChanged(s balancer.SubConnState) {
	l := c.leaf
	if l.ready != c {
		return
	}
	switch s.ConnectivityState {
	case connectivity.Ready, connectivity.Connecting:
		l.report(s.ConnectivityState, nil)
	case connectivity.TransientFailure:
		// The text is grpc-go's, and pinned by its tests. An ejection has no error.
		l.report(connectivity.TransientFailure,
			fmt.Errorf("pickfirst: health check failure: %v", s.ConnectionError)) //nolint:errorlint // may be nil
	default: // No health can be in another state.
	}
}
