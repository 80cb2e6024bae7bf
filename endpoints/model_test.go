package endpoints_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"

	"github.com/evenkeel-grpc/evenkeel/internal/fakecc"
)

// model is what the engine should be: the raw and the effective state of each
// endpoint, recomputed from nothing after every step.
type model struct {
	raw, effective map[string]connectivity.State
}

// resolve replaces the endpoints.
func (m *model) resolve(addrs []string) {
	for _, a := range addrs {
		if _, ok := m.raw[a]; !ok {
			m.raw[a], m.effective[a] = idle, connecting
		}
	}
	for a := range m.raw {
		if !slices.Contains(addrs, a) {
			delete(m.raw, a)
			delete(m.effective, a)
		}
	}
}

// step moves an endpoint's connection to a state that can follow its own.
func (m *model) step(r *rand.Rand, addr string) connectivity.State {
	next := idle
	switch m.raw[addr] {
	case idle:
		next = connecting
	case connecting:
		next = []connectivity.State{ready, failure}[r.IntN(2)]
	default: // READY and TRANSIENT_FAILURE end in IDLE.
	}
	m.raw[addr] = next
	switch {
	case next == ready, next == failure:
		m.effective[addr] = next
	case m.effective[addr] == ready: // lost, and on its way again
		m.effective[addr] = connecting
	}
	return next
}

func (m *model) ready() []string {
	var addrs []string
	for a, s := range m.effective {
		if s == ready {
			addrs = append(addrs, a)
		}
	}
	slices.Sort(addrs)
	return addrs
}

func (m *model) state() connectivity.State {
	states := slices.Collect(maps.Values(m.effective))
	for _, s := range []connectivity.State{ready, connecting} {
		if slices.Contains(states, s) {
			return s
		}
	}
	return failure
}

func TestRandomHistoryMatchesModel(t *testing.T) {
	for range 30 {
		seed := rand.Uint64()
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { runHistory(t, seed) })
	}
}

func runHistory(t *testing.T, seed uint64) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 0))
	h := newHarness(t)
	m := &model{map[string]connectivity.State{}, map[string]connectivity.State{}}
	for i := range 400 {
		if i == 0 || r.IntN(20) == 0 {
			var addrs []string
			for range 1 + r.IntN(30) {
				addrs = append(addrs, fmt.Sprintf("e%d:1", r.IntN(30)))
			}
			m.resolve(addrs)
			h.resolve(addrs...)
		} else {
			addrs := slices.Sorted(maps.Keys(m.raw))
			addr := addrs[r.IntN(len(addrs))]
			h.set(m.step(r, addr), addr)
		}
		if got, want := h.State().ConnectivityState, m.state(); got != want {
			t.Fatalf("step %d: state = %v, want %v", i, got, want)
		}
		if m.state() != ready {
			continue
		}
		got := h.picks(len(m.ready()))
		if slices.Sort(got); !slices.Equal(got, m.ready()) {
			t.Fatalf("step %d: one turn of picks = %q, want %q", i, got, m.ready())
		}
	}
}

func TestPicksBesideChanges(t *testing.T) {
	h := newHarness(t)
	var addrs []string
	for i := range 100 {
		addrs = append(addrs, fmt.Sprintf("e%d:1", i))
	}
	h.resolve(addrs...)
	h.set(ready, "e0:1") // stays READY throughout
	picker := h.State().Picker

	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				res, err := picker.Pick(balancer.PickInfo{})
				if err != nil {
					t.Errorf("Pick() = %v with an endpoint READY", err)
					return
				}
				if _, ok := res.SubConn.(*fakecc.SubConn); !ok {
					t.Errorf("Pick() returned a %T", res.SubConn)
					return
				}
			}
		})
	}
	for range 20 {
		h.set(ready, addrs[1:]...)
		h.set(idle, addrs[1:]...)
	}
	close(stop)
	wg.Wait()
}
