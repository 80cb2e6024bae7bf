package leaf

import (
	"time"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"

	"github.com/evenkeel-grpc/evenkeel/scstate"
)

// attemptDelay is how long one attempt has before the next address is tried
// beside it: A61's Connection Attempt Delay.
const attemptDelay = 250 * time.Millisecond

// startPass tries every address once, from the first.
func (l *Leaf) startPass() {
	l.firstPass = true
	l.next, l.failed = 0, 0
	for _, c := range l.conns {
		if c != nil {
			c.failed = false
		}
	}
	l.attempt()
}

// attempt goes on with the pass at the address that it has reached. Addresses
// still in backoff from an earlier pass count as failed.
func (l *Leaf) attempt() {
	var err error
	for ; int(l.next) < len(l.addrs); l.next++ {
		c := l.connAt(l.next)
		if c == nil {
			return // The channel is closing.
		}
		if c.state() == connectivity.TransientFailure {
			l.markFailed(c)
			err = c.err
			continue
		}
		if c.state() == connectivity.Idle {
			c.sc.Connect()
		}
		l.startTimer()
		return
	}
	l.endPass(err)
}

// startTimer lets the next address start if the current one has not answered
// in time.
func (l *Leaf) startTimer() {
	l.stopTimer()
	if int(l.next)+1 >= len(l.addrs) {
		return
	}
	var t *time.Timer
	t = time.AfterFunc(attemptDelay, func() {
		scstate.Post(l.owner.ClientConn(), func() {
			if l.timer == t { // else stopped while waiting for its turn
				l.timer = nil
				l.next++
				l.attempt()
			}
		})
	})
	l.timer = t
}

func (l *Leaf) stopTimer() {
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
}

func (l *Leaf) markFailed(c *Conn) {
	if !c.failed {
		c.failed = true
		l.failed++
	}
}

// endPass reports TRANSIENT_FAILURE if every address has been tried and has
// failed. From then on each SubConn reconnects as its backoff allows.
func (l *Leaf) endPass(err error) {
	if int(l.next) < len(l.addrs) || int(l.failed) < len(l.addrs) {
		return
	}
	l.firstPass, l.failed = false, 0
	l.report(connectivity.TransientFailure, err)
	for _, c := range l.conns {
		if c != nil && c.state() == connectivity.Idle {
			c.sc.Connect()
		}
	}
}

// connected makes c the leaf's connection.
func (l *Leaf) connected(c *Conn) {
	l.stopTimer()
	moved := l.Conn() != nil
	l.keepOnly(c)
	l.ready, l.next, l.probing = c, c.index, nil
	if !l.owner.HealthListener() {
		if moved {
			l.owner.Report(connectivity.Ready) // another connection is news too
			return
		}
		l.report(connectivity.Ready, nil)
		return
	}
	// CONNECTING ends a sticky TRANSIENT_FAILURE: the connection is there.
	l.report(connectivity.Connecting, nil)
	c.sc.RegisterHealthListener(c.healthChanged)
}

// disconnected is called for a connection that was there and is lost.
func (l *Leaf) disconnected(c *Conn) {
	l.stopTimer()
	l.keepOnly(c)
	l.ready, l.next = nil, 0
	l.report(connectivity.Idle, nil)
}

// failedInPass is called for a failure during the first pass.
func (l *Leaf) failedInPass(c *Conn) {
	l.markFailed(c)
	if c.index == l.next {
		l.stopTimer()
		l.next++
		if int(l.next) < len(l.addrs) {
			l.attempt()
			return
		}
	}
	l.endPass(c.err)
}

// failedAgain is called for a failure after the first pass. The owner hears of
// it once per round over the addresses.
func (l *Leaf) failedAgain(c *Conn) {
	if l.failed++; int(l.failed) >= len(l.addrs) {
		l.failed = 0
		l.report(connectivity.TransientFailure, c.err)
	}
}

// newSubConn is the one place where a SubConn is created.
func (l *Leaf) newSubConn(c *Conn) bool {
	sc, err := l.owner.ClientConn().NewSubConn(l.addrs[c.index:c.index+1:c.index+1],
		balancer.NewSubConnOptions{StateListener: c.stateChanged})
	if err != nil {
		return false
	}
	c.sc, c.base = sc, scstate.Base(sc)
	return true
}
