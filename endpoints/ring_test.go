package endpoints_test

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc/balancer"

	"github.com/evenkeel-grpc/evenkeel/endpoints"
	"github.com/evenkeel-grpc/evenkeel/internal/fakecc"
	"github.com/evenkeel-grpc/evenkeel/scstate"
)

// turns is what a ring should do, in words: a turn is over when everybody who
// was READY when it began, and still is without a break, was picked.
type turns struct {
	ready map[string]bool
	left  map[string]bool // to pick in this turn
	last  string          // picked, and READY ever since
	began int             // how many were READY when the turn began
	picks int             // in this turn
	waits map[string]int  // picks since it was picked, or came
	most  map[string]int  // the largest number READY since then
}

func newTurns() *turns {
	return &turns{ready: map[string]bool{}, left: map[string]bool{}, waits: map[string]int{}, most: map[string]int{}}
}

func (m *turns) add(addr string) {
	m.ready[addr] = true
	m.waits[addr] = 0
	m.most[addr] = 0
	for a := range m.ready {
		m.most[a] = max(m.most[a], len(m.ready))
	}
}

func (m *turns) remove(addr string) {
	delete(m.ready, addr)
	delete(m.left, addr)
	delete(m.waits, addr)
	if m.last == addr {
		m.last = ""
	}
}

// pick checks one pick.
func (m *turns) pick(addr string) error {
	if len(m.left) == 0 {
		m.left, m.began, m.picks = maps.Clone(m.ready), len(m.ready), 0
	}
	if !m.left[addr] {
		return fmt.Errorf("picked %q, want one of %v", addr, slices.Sorted(maps.Keys(m.left)))
	}
	delete(m.left, addr)
	if m.picks++; m.picks > m.began {
		return fmt.Errorf("a turn of %d picks that began with %d endpoints", m.picks, m.began)
	}
	if addr == m.last && len(m.ready) > 1 {
		return fmt.Errorf("picked %q twice in a row, of %d", addr, len(m.ready))
	}
	m.last = addr
	for a := range m.waits {
		if m.waits[a]++; m.waits[a] > 2*m.most[a]-1 {
			return fmt.Errorf("%q waits for more than %d picks, of at most %d endpoints", a, m.waits[a]-1, m.most[a])
		}
	}
	m.waits[addr], m.most[addr] = 0, len(m.ready)
	return nil
}

// ringHarness is an engine with a turns model beside it.
type ringHarness struct {
	*harness
	rng   *rand.Rand
	ring  *endpoints.Ring
	model *turns
	where string
}

// newRingHarness returns one whose ring has made pos picks, with n endpoints
// that are not READY yet.
func newRingHarness(t *testing.T, n int, pos uint64) *ringHarness {
	t.Helper()
	seed := rand.Uint64()
	h := &ringHarness{
		rng: rand.New(rand.NewPCG(seed, 0)), model: newTurns(),
		where: fmt.Sprintf("seed %d, %d endpoints, from position %d", seed, n, pos),
	}
	h.harness = newHarnessOf(t, policy{onRing: func(r *endpoints.Ring) {
		r.SetPosition(pos)
		h.ring = r
	}})
	h.resolve(h.addrs(n)...)
	return h
}

func (h *ringHarness) addrs(n int) (addrs []string) {
	for i := range n {
		addrs = append(addrs, fmt.Sprintf("e%d:1", i))
	}
	return addrs
}

func (h *ringHarness) up(addr string) {
	h.Helper()
	h.set(ready, addr)
	h.model.add(addr)
}

func (h *ringHarness) down(addr string) {
	h.Helper()
	h.set(idle, addr)
	h.model.remove(addr)
}

// pick picks once and checks it.
func (h *ringHarness) pick() string {
	h.Helper()
	addr := fakecc.Addr(h.ring.Next())
	if err := h.model.pick(addr); err != nil {
		h.Fatalf("%s: %v", h.where, err)
	}
	return addr
}

// positions are where the arithmetic of a ring may go wrong.
var positions = []uint64{1 << 31, math.MaxUint32 - 40, 1 << 40, 1<<63 - 40}

// Endpoints come and go at random, and one after the other all go.
func TestTurnsOfRandomHistories(t *testing.T) {
	for n := 1; n <= 12; n++ {
		for round := range 40 {
			h := newRingHarness(t, n, positions[round%len(positions)])
			all := h.addrs(n)
			for range 600 {
				addr := all[h.rng.IntN(n)]
				switch {
				case h.rng.IntN(3) > 0 && len(h.model.ready) > 0:
					h.pick()
				case h.model.ready[addr]:
					h.down(addr)
				default:
					h.up(addr)
				}
			}
			for addr := range maps.Clone(h.model.ready) {
				h.pick()
				h.down(addr)
			}
			if h.ring.Next() != nil || h.ring.Len() != 0 {
				t.Errorf("%s: %d endpoints are in the ring, want none", h.where, h.ring.Len())
			}
		}
	}
}

// Of n endpoints k lose their connection after each RPC that they serve, and
// come back soon. The others get one RPC in each turn.
func TestTurnsWhileOthersFlap(t *testing.T) {
	for n := 2; n <= 12; n++ {
		for k := 1; k < n; k++ {
			for _, latest := range []int{0, 1, n, 3 * n} { // picks until an endpoint is back
				h := newRingHarness(t, n, positions[(n+k)%len(positions)])
				for _, addr := range h.addrs(n) {
					h.up(addr)
				}
				back := map[string]int{} // after which pick
				for i := range 50 * n {
					addr := h.pick()
					var number int
					if _, err := fmt.Sscanf(addr, "e%d:1", &number); err != nil {
						t.Fatal(err)
					}
					if number < k {
						h.down(addr)
						back[addr] = i + h.rng.IntN(latest+1)
					}
					for _, addr := range slices.Sorted(maps.Keys(back)) {
						if back[addr] <= i {
							delete(back, addr)
							h.up(addr)
						}
					}
				}
			}
		}
	}
}

// Picks beside changes may be off by one each, and no more than that: nobody
// starves.
func TestNobodyStarvesBesideChanges(t *testing.T) {
	const n, pickers, changes = 8, 4, 300
	for k := 1; k < n; k++ {
		h := newRingHarness(t, n, 1<<31)
		all := h.addrs(n)
		h.set(ready, all...)
		var (
			wg    sync.WaitGroup
			stop  atomic.Bool
			total atomic.Int64
			picks = map[balancer.SubConn]*atomic.Int64{}
		)
		for _, sc := range h.SubConns() {
			picks[scstate.Base(sc)] = new(atomic.Int64)
		}
		for range pickers {
			wg.Go(func() {
				for !stop.Load() {
					for range 50 {
						picks[h.ring.Next()].Add(1)
						total.Add(1)
					}
					runtime.Gosched()
				}
			})
		}
		more := func() {
			for before := total.Load(); total.Load() < before+100; {
				runtime.Gosched()
			}
		}
		for range changes {
			addr := all[h.rng.IntN(k)]
			h.set(idle, addr)
			more()
			h.set(ready, addr)
			more()
		}
		stop.Store(true)
		wg.Wait()
		for _, addr := range all[k:] {
			got := picks[scstate.Base(h.SubConn(addr))].Load()
			// A turn has at most n picks, and one of each endpoint that stays.
			if least := total.Load()/n - 2*changes*pickers; got < least {
				t.Errorf("k = %d: picks of %q = %d of %d, want at least %d", k, addr, got, total.Load(), least)
			}
		}
	}
}

// Clients that start together do not all begin with the same endpoint.
func TestTheFirstPickIsRandom(t *testing.T) {
	first := map[string]int{}
	for range 200 {
		h := newRingHarness(t, 4, 1<<31)
		h.set(ready, h.addrs(4)...)
		first[fakecc.Addr(h.ring.Next())]++
	}
	for _, addr := range []string{"e0:1", "e1:1", "e2:1", "e3:1"} {
		if first[addr] < 10 { // by chance: less than 1 in 10^10
			t.Errorf("first picks = %v, want each endpoint some fifty times", first)
		}
	}
}
