package leaf

import "google.golang.org/grpc/connectivity"

// Later reports whether the leaf is connected to an address that is not its
// first.
func (l *Leaf) Later() bool { return l.Conn() != nil && l.ready.index > 0 }

// Probe tries the addresses before the connected one again, one after the
// other, while the connection stays in use. The leaf moves over to the first
// that is READY; the others are given up until the next Probe. A probe that is
// still under way goes on.
func (l *Leaf) Probe() {
	if l.Later() && l.probing == nil {
		l.probe(0)
	}
}

// probe tries address i.
func (l *Leaf) probe(i int32) {
	l.probing = nil
	if i >= l.ready.index {
		return
	}
	if l.probing = l.connAt(i); l.probing != nil {
		l.probing.sc.Connect()
	}
}

func (l *Leaf) stopProbe() {
	if c := l.probing; c != nil {
		l.conns[c.index] = nil
		l.drop(c)
	}
}

// keepProbe lets a probe go on over an update, unless its address now comes after
// the connected one: a resolver that updates often must not keep it from ending.
func (l *Leaf) keepProbe() {
	if l.probing != nil && l.probing.index > l.ready.index {
		l.stopProbe()
	}
}

// probed is called for a change of the connection that is being probed, except
// to READY. IDLE is a connection that was lost before its READY was delivered.
func (l *Leaf) probed(c *Conn) {
	if s := c.state(); s != connectivity.TransientFailure && s != connectivity.Idle {
		return
	}
	l.stopProbe()
	l.probe(c.index + 1)
}
