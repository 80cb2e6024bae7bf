package v1adapter

import (
	"math"
	"sync/atomic"
	"time"
)

const (
	// closeGrace is how long Close waits for calls that have begun.
	closeGrace = 100 * time.Millisecond
	// shutMark makes the number of calls negative, and keeps it so.
	shutMark = math.MinInt64 / 2
)

// gate keeps calls into a v1 balancer from beginning after its Close. Unlike a
// lock it does not wait for a call that does not return.
type gate struct {
	calls atomic.Int64  // those inside, plus shutMark once it is shut
	empty chan struct{} // closed when the last one leaves a shut gate
}

func newGate() *gate { return &gate{empty: make(chan struct{})} }

// enter returns false if the gate is shut. Otherwise the caller calls leave when
// its call has returned.
func (g *gate) enter() bool {
	for {
		n := g.calls.Load()
		if n < 0 {
			return false
		}
		if g.calls.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (g *gate) leave() {
	if g.calls.Add(-1) == shutMark {
		close(g.empty)
	}
}

// open reports whether the gate is not shut.
func (g *gate) open() bool { return g.calls.Load() >= 0 }

// shut lets nobody in any more and waits for those inside, but not for ever: a
// call may be waiting for Close. It is called once.
func (g *gate) shut() {
	if g.calls.Add(shutMark) == shutMark {
		return
	}
	t := time.NewTimer(closeGrace)
	defer t.Stop()
	select {
	case <-g.empty:
	case <-t.C:
	}
}
