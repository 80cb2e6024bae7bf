package leaf

import (
	"time"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/resolver"
)

// Owner is the policy, or the part of one, that a leaf belongs to.
type Owner interface {
	// ClientConn returns the ClientConn that the policy's Build received.
	ClientConn() balancer.ClientConn
	// HealthListener reports whether a READY SubConn counts as READY only once
	// its health listener says so.
	HealthListener() bool
	// Report is called when the leaf's state has changed from the given one, when
	// the error of a leaf in TRANSIENT_FAILURE has changed, and when an Update
	// makes a CONNECTING leaf start again. It may call the leaf's methods.
	Report(from connectivity.State)
}

// Leaf connects to the first of its addresses that answers. The zero value has
// no addresses and is IDLE; Init must be called before any other method.
type Leaf struct {
	owner Owner

	addrs  []resolver.Address
	conns  []*Conn  // conns[i] connects to addrs[i]; nil until the pass gets there
	single [1]*Conn // the array of conns where one address is enough
	first  Conn     // the memory of the first connection ever; most leaves need no other
	ready  *Conn    // the connected one, whatever its health
	err    error    // why the state is TRANSIENT_FAILURE
	timer  *time.Timer
	// probing is the connection that may replace ready; nil while there is none.
	probing *Conn

	// The first pass tries each address once; next is the index that it has
	// reached, failed the number of addresses that have failed in it. After the
	// pass, failed counts failures since the last report.
	next, failed int32
	firstPass    bool
	state        uint8
}

// Init binds the leaf to its owner.
func (l *Leaf) Init(o Owner) { l.owner = o }

// State returns the last reported state; IDLE at first.
func (l *Leaf) State() connectivity.State { return connectivity.State(l.state) }

// Err returns why the leaf is in TRANSIENT_FAILURE, and nil in other states.
func (l *Leaf) Err() error { return l.err }

// Conn returns the connection of a READY leaf, and nil in other states.
func (l *Leaf) Conn() *Conn {
	if l.State() != connectivity.Ready {
		return nil
	}
	return l.ready
}

// Update replaces the addresses, which must not be empty and must not change
// afterwards. A connected address that is still among them stays connected, and
// nothing happens. Otherwise SubConns of addresses that left are shut down, the
// others are kept with their backoff, and a new pass starts, except in IDLE.
func (l *Leaf) Update(addrs []resolver.Address) {
	l.stopTimer()
	first, wasReady := len(l.addrs) == 0, l.ready != nil
	l.reconcile(addrs)
	switch {
	case l.ready != nil:
		l.next = l.ready.index
		l.keepProbe()
	case first, wasReady, l.State() == connectivity.Connecting:
		// A62's stickiness is about connections that failed: a leaf that was in
		// TRANSIENT_FAILURE for want of addresses starts afresh.
		l.force(connectivity.Connecting)
		l.startPass()
	case l.State() == connectivity.TransientFailure:
		l.startPass()
	}
}

// Refresh is Update for a list that is probably the last one again, in which
// case it only lets go of the last one.
func (l *Leaf) Refresh(addrs []resolver.Address) {
	if !sameAddresses(l.addrs, addrs) {
		l.Update(addrs)
		return
	}
	l.addrs = addrs
}

// Fail shuts everything down, forgets the addresses and reports
// TRANSIENT_FAILURE with err.
func (l *Leaf) Fail(err error) {
	l.shutDown()
	l.report(connectivity.TransientFailure, err)
}

// SetErr reports TRANSIENT_FAILURE with err and leaves the connections alone.
func (l *Leaf) SetErr(err error) { l.report(connectivity.TransientFailure, err) }

// ExitIdle starts connecting, from the first address, if the leaf is IDLE.
func (l *Leaf) ExitIdle() {
	if l.State() != connectivity.Idle || len(l.addrs) == 0 {
		return
	}
	l.report(connectivity.Connecting, nil)
	l.startPass()
}

// Close shuts everything down and reports nothing.
func (l *Leaf) Close() { l.shutDown() }

func (l *Leaf) shutDown() {
	l.stopTimer()
	l.keepOnly(nil)
	l.addrs, l.conns, l.single[0], l.ready = nil, nil, nil, nil
}

// report passes a change on to the owner. The same state is not reported again,
// except TRANSIENT_FAILURE, whose error may be new.
func (l *Leaf) report(s connectivity.State, err error) {
	from := l.State()
	if s == from && s != connectivity.TransientFailure {
		return
	}
	l.state, l.err = uint8(s), err
	l.owner.Report(from)
}

// force reports s even if it is the state already: parent policies may wait for
// an answer to their update.
func (l *Leaf) force(s connectivity.State) {
	from := l.State()
	l.state, l.err = uint8(s), nil
	l.owner.Report(from)
}

// reconcile adopts the new addresses and shuts down the connections to those
// that left.
func (l *Leaf) reconcile(addrs []resolver.Address) {
	old := l.conns
	if len(old) == 1 {
		old = []*Conn{old[0]} // does not share single, which is used again below
	}
	l.conns = l.single[:]
	l.single[0] = nil
	if len(addrs) != 1 {
		l.conns = make([]*Conn, len(addrs))
	}
	var find func(*resolver.Address) int // a new leaf needs none
	for i, c := range old {
		if c == nil {
			continue
		}
		if find == nil {
			find = finder(addrs)
		}
		if at := find(&l.addrs[i]); at >= 0 {
			c.index = int32(at)
			l.conns[at] = c
			continue
		}
		l.drop(c)
	}
	l.addrs = addrs
}

// keepOnly shuts down every connection but c.
func (l *Leaf) keepOnly(c *Conn) {
	for i, other := range l.conns {
		if other != nil && other != c {
			l.conns[i] = nil
			l.drop(other)
		}
	}
}

func (l *Leaf) drop(c *Conn) {
	if l.ready == c {
		l.ready, l.probing = nil, nil // What was tried beside it is one of the pass now.
	}
	if l.probing == c {
		l.probing = nil
	}
	c.gone = true
	c.sc.Shutdown()
}
