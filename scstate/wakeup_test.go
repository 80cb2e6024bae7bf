package scstate_test

import (
	"runtime"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"

	"github.com/evenkeel-grpc/evenkeel/scstate"
)

// A call that arrives while the last goroutine is leaving the policy has to be
// run by one of the two. The window is a few instructions wide, so two producers
// make one call each, at the same time, very often; nobody comes after them who
// would run what they left.
func TestNoCallIsLeftBehind(t *testing.T) {
	const rounds = 50_000
	p := &fakePolicy{}
	build(t, p, &fakeClientConn{})
	var round, done, ran atomic.Int64
	count := func() { ran.Add(1) }
	produce := func() {
		for r := range int64(rounds) {
			for round.Load() != r+1 {
				runtime.Gosched()
			}
			scstate.Post(p.cc, count)
			done.Add(1)
		}
	}
	go produce()
	go produce()
	left := 0
	for r := range int64(rounds) {
		round.Store(r + 1)
		for done.Load() != 2*(r+1) {
			runtime.Gosched()
		}
		if ran.Load() != 2*(r+1) { // The next round's calls run it too.
			left++
		}
	}
	if left > 0 {
		t.Errorf("rounds of %d after which a call was left in the idle feed = %d, want 0", rounds, left)
	}
}

func TestInlineAChangeDoesNotAllocate(t *testing.T) {
	p := &fakePolicy{}
	build(t, p, &fakeClientConn{})
	sc, err := p.cc.NewSubConn(update("sc").ResolverState.Endpoints[0].Addresses, balancer.NewSubConnOptions{
		StateListener: func(balancer.SubConnState) {},
	})
	if err != nil {
		t.Fatal(err)
	}
	fake := fakeOf(t, sc)
	if got := testing.AllocsPerRun(100, func() { fake.report(connectivity.Ready) }); got != 0 {
		t.Errorf("allocations per change = %v, want 0", got)
	}
}
