package v1adapter

import (
	"context"
	"slices"
	"time"

	"google.golang.org/grpc/balancer"

	"github.com/evenkeel-grpc/evenkeel/scstate"
)

const (
	// getGrace is how long Pick waits for a Get with BlockingWait. Most return
	// at once, and then no other RPC needs to be woken.
	getGrace = time.Millisecond
	// wakePause is the pause after a wake-up for each RPC that was woken, some
	// ten times what it costs.
	wakePause = 10 * time.Microsecond
)

// waitingGet is a Get with BlockingWait, on a goroutine of its own. The attempt
// takes the choice in a later pick; if it ends before that, put is called.
type waitingGet struct {
	// Set once.
	attempt *attempt
	picker  *picker
	done    chan struct{} // closed when there is a choice

	// Guarded by attempt.mu.
	choice   choice
	finished bool        // there is a choice
	stop     func() bool // ends the watch for the RPC's end; nil until the RPC is parked
}

// pickWaiting starts a Get, or looks how the one that was started goes.
func (p *picker) pickWaiting(ctx context.Context, a *attempt) (balancer.PickResult, error) {
	g := a.get(p)
	if g == nil {
		g = a.begin(ctx, p)
		g.wait()
	}
	c, ok := g.takeOrPark(ctx)
	if !ok {
		return balancer.PickResult{}, balancer.ErrNoSubConnAvailable
	}
	return p.use(c, a)
}

// begin starts a Get.
func (a *attempt) begin(ctx context.Context, p *picker) *waitingGet {
	g := &waitingGet{attempt: a, picker: p, done: make(chan struct{})}
	a.mu.Lock()
	a.gets = append(a.gets, g)
	a.mu.Unlock()
	go func() { g.finish(p.get(ctx, true)) }()
	return g
}

// wait waits a moment for the choice.
func (g *waitingGet) wait() {
	t := time.NewTimer(getGrace)
	defer t.Stop()
	select {
	case <-g.done:
	case <-t.C:
	}
}

// takeOrPark returns the choice. If there is none yet, finish will wake the RPC.
func (g *waitingGet) takeOrPark(ctx context.Context) (choice, bool) {
	g.attempt.mu.Lock()
	defer g.attempt.mu.Unlock()
	if g.finished {
		g.removeLocked()
		return g.choice, true
	}
	if g.stop == nil {
		g.picker.parked.Add(1)
		g.stop = context.AfterFunc(ctx, g.abandon)
	}
	return choice{}, false
}

// finish hands over the choice, to nobody if the RPC has ended.
func (g *waitingGet) finish(c choice) {
	if g.accept(c) {
		return
	}
	c.release()
}

// accept returns false if the attempt does not want a choice any more.
func (g *waitingGet) accept(c choice) bool {
	g.attempt.mu.Lock()
	defer g.attempt.mu.Unlock()
	if !slices.Contains(g.attempt.gets, g) {
		return false
	}
	g.choice, g.finished = c, true
	close(g.done)
	if g.stop != nil && !g.picker.waking.Swap(true) {
		scstate.Post(g.picker.cc, g.picker.wake)
	}
	return true
}

// abandon gives up the Get at the end of the RPC.
func (g *waitingGet) abandon() {
	g.attempt.mu.Lock()
	unused := g.removeLocked() && g.finished
	g.attempt.mu.Unlock()
	if unused {
		g.choice.release()
	}
}

// removeLocked takes the Get out of its attempt. It returns false if it is out
// already.
func (g *waitingGet) removeLocked() bool {
	i := slices.Index(g.attempt.gets, g)
	if i < 0 {
		return false
	}
	g.attempt.gets = slices.Delete(g.attempt.gets, i, i+1)
	if g.stop != nil {
		g.stop()
		g.picker.parked.Add(-1)
	}
	return true
}
