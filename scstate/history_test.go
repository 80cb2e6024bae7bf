package scstate_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/resolver"

	"github.com/evenkeel-grpc/evenkeel/scstate"
)

// op is one call that a producer makes into the feed.
type op struct{ producer, n int }

// history checks a feed against a model: what each producer issued comes out in
// its order, without a gap or a double, up to a cut that Close makes.
type history struct {
	t    testing.TB
	seed uint64
	feed balancer.Balancer
	cc   *fakeClientConn

	policy *historyPolicy

	closing, closed atomic.Bool

	mu       sync.Mutex // guards the fields below
	issued   map[int]int
	certain  map[int]int // of issued, how many have to run
	refused  map[op]bool // must not run
	accepted map[op]bool // must run
}

// historyPolicy notes what ran, in order. It has no lock: the feed is one.
type historyPolicy struct {
	*fakePolicy
	rng *rand.Rand
	ran []op
}

func (p *historyPolicy) Build(cc balancer.ClientConn, o balancer.BuildOptions) balancer.Balancer {
	p.fakePolicy.Build(cc, o)
	return p
}

func (p *historyPolicy) run(o op) {
	p.call("op", func() {
		p.ran = append(p.ran, o)
		switch p.rng.IntN(8) {
		case 0:
			runtime.Gosched()
		case 1:
			p.cc.UpdateState(balancer.State{}) // The parent comes back from within.
		}
	})
}

func (p *historyPolicy) UpdateClientConnState(s balancer.ClientConnState) error {
	var o op
	addr := s.ResolverState.Endpoints[0].Addresses[0].Addr
	if _, err := fmt.Sscan(addr, &o.producer, &o.n); err != nil {
		p.fault(err.Error())
	}
	p.run(o)
	return errors.New(addr)
}

func (p *historyPolicy) ResolverError(err error) {
	if o, ok := errors.AsType[op](err); ok {
		p.run(o)
	}
}

func (o op) Error() string { return fmt.Sprint(o.producer, " ", o.n) }

// issue makes one call in the name of a producer.
func (h *history) issue(o op, kind int, sc *historySubConn) {
	refused := h.closed.Load()
	switch kind {
	case 0:
		accepted := scstate.Post(h.policy.cc, func() { h.policy.run(o) })
		h.notePost(o, accepted)
		refused = refused || !accepted
	case 1:
		h.feed.ResolverError(o)
	case 2:
		err := h.feed.UpdateClientConnState(update(o.Error()))
		refused = refused || err != nil && err.Error() != o.Error()
	case 3:
		sc.pending <- o.n
		sc.fake.report(connectivity.Ready)
	}
	certain := !refused && !h.closing.Load()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.issued[o.producer]++
	if certain {
		h.certain[o.producer] = o.n + 1
	}
	if refused {
		h.refused[o] = true
	}
}

func (h *history) notePost(o op, accepted bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if accepted {
		h.accepted[o] = true
	}
}

// historySubConn finds the number of a change again, which a state cannot carry.
type historySubConn struct {
	fake    *fakeSubConn
	pending chan int
}

func (h *history) newSubConn(producer, room int) *historySubConn {
	sc := &historySubConn{pending: make(chan int, room)} // Room for all, so that no send waits.
	base, err := h.policy.cc.NewSubConn([]resolver.Address{{Addr: "sc"}}, balancer.NewSubConnOptions{
		StateListener: func(balancer.SubConnState) { h.policy.run(op{producer, <-sc.pending}) },
	})
	if err != nil {
		h.t.Fatal(err)
	}
	sc.fake = fakeOf(h.t, base)
	return sc
}

const (
	historyProducers = 6
	historyOps       = 150
	parent           = -1 // the producer of calls that come back from within
)

func (h *history) play() {
	rng := rand.New(rand.NewPCG(h.seed, 0))
	var wg sync.WaitGroup
	for p := range historyProducers {
		sc := h.newSubConn(p, historyOps)
		own := rand.New(rand.NewPCG(h.seed, uint64(p)+1))
		wg.Go(func() {
			for n := range historyOps {
				h.issue(op{p, n}, own.IntN(4), sc)
				if own.IntN(10) == 0 {
					runtime.Gosched()
				}
			}
		})
	}
	turns := rng.IntN(2 * historyOps)
	wg.Go(func() {
		for range turns {
			runtime.Gosched()
		}
		h.closing.Store(true)
		h.feed.Close()
		h.closed.Store(true)
	})
	wg.Wait()
	synctest.Wait()
}

func (h *history) check() {
	next := map[int]int{}
	for _, o := range h.policy.ran {
		if o.n != next[o.producer] {
			h.t.Errorf("seed %d: producer %d: call %d ran where %d was due", h.seed, o.producer, o.n, next[o.producer])
		}
		next[o.producer] = o.n + 1
		if h.refused[o] {
			h.t.Errorf("seed %d: call %v ran although it was refused", h.seed, o)
		}
		delete(h.accepted, o)
	}
	for o := range h.accepted {
		h.t.Errorf("seed %d: posted call %v was accepted and never ran", h.seed, o)
	}
	for p, n := range h.certain {
		if next[p] < n {
			h.t.Errorf("seed %d: producer %d: %d calls ran, want the %d from before Close", h.seed, p, next[p], n)
		}
	}
	for p, n := range h.issued {
		if next[p] > n {
			h.t.Errorf("seed %d: producer %d: %d calls ran of %d", h.seed, p, next[p], n)
		}
	}
	if calls := h.policy.calls(); slices.Index(calls, "close") != len(calls)-1 || len(calls) != len(h.policy.ran)+1 {
		h.t.Errorf("seed %d: %d calls in all, want %d and then Close", h.seed, len(calls), len(h.policy.ran))
	}
	for _, f := range h.policy.faults {
		h.t.Errorf("seed %d: %s", h.seed, f)
	}
}

func TestRandomHistories(t *testing.T) {
	inEachMode(t, func(t bubble) {
		for range 20 {
			seed := rand.Uint64()
			h := &history{
				t: t, seed: seed, cc: &fakeClientConn{},
				policy:   &historyPolicy{fakePolicy: &fakePolicy{}, rng: rand.New(rand.NewPCG(seed, 99))},
				issued:   map[int]int{},
				certain:  map[int]int{},
				refused:  map[op]bool{},
				accepted: map[op]bool{},
			}
			h.feed = scstate.Wrap(h.policy, t.opts...).Build(h.cc, balancer.BuildOptions{})
			// The parent is called by the policy, so one at a time: its calls
			// are numbered without a lock.
			inner := 0
			h.cc.on = map[string]func(*fakeSubConn){"UpdateState": func(*fakeSubConn) {
				h.issue(op{parent, inner}, inner%3, nil)
				inner++
			}}
			h.play()
			h.check()
		}
	})
}
