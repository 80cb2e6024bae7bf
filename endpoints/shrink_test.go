package endpoints_test

import (
	"fmt"
	"runtime"
	"strconv"
	"testing"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/resolver"

	"github.com/evenkeel-grpc/evenkeel/scstate"
)

// forgetful is a channel that keeps its first SubConns alone, so that whatever
// else stays is the engine's.
type forgetful struct {
	balancer.ClientConn // nil: what is not faked panics
	first               []*forgotten
}

func (c *forgetful) UpdateState(balancer.State) {}

func (c *forgetful) NewSubConn(_ []resolver.Address, opts balancer.NewSubConnOptions) (balancer.SubConn, error) {
	sc := &forgotten{listener: opts.StateListener}
	if len(c.first) < cap(c.first) {
		c.first = append(c.first, sc)
	}
	return sc, nil
}

type forgotten struct {
	balancer.SubConn // nil: what is not faked panics
	listener         func(balancer.SubConnState)
}

func (*forgotten) Connect()                                           {}
func (*forgotten) RegisterHealthListener(func(balancer.SubConnState)) {}
func (s *forgotten) Shutdown()                                        { s.set(connectivity.Shutdown, nil) }

func (s *forgotten) set(state connectivity.State, err error) {
	s.listener(balancer.SubConnState{ConnectivityState: state, ConnectionError: err})
}

// numbered returns n endpoints.
func numbered(n int) []resolver.Endpoint {
	var addrs []string
	for i := range n {
		addrs = append(addrs, fmt.Sprintf("10.%d.%d.%d:1", i>>16, i>>8&255, i&255))
	}
	return single(addrs...)
}

// few is how many endpoints stay.
const few = 10

// newShrunk returns an engine that has had the given numbers of endpoints, one
// after the other, and now has few, which have all failed, and the SubConns that
// were created first. It calls between before the most come.
func newShrunk(tb testing.TB, between func(), most ...int) (*harness, []*forgotten) {
	tb.Helper()
	cc := &forgetful{first: make([]*forgotten, 0, few)}
	h := &harness{TB: tb, balancer: scstate.Wrap(policy{}).Build(cc, balancer.BuildOptions{})}
	send := func(n int) {
		tb.Helper()
		if err := h.update(numbered(n)...); err != nil && n > 0 {
			tb.Fatal(err)
		}
	}
	send(few)
	for _, sc := range cc.first {
		sc.set(failure, errRefused)
	}
	between()
	for _, n := range most {
		send(n)
	}
	send(few)
	return h, cc.first
}

// The list may be long and the endpoints few from the start.
func TestMemoryFollowsTheEndpointsNotTheList(t *testing.T) {
	long := append(numbered(few), make([]resolver.Endpoint, 100_000)...) // without addresses
	for range 100_000 {
		long = append(long, long[0])
	}
	b := scstate.Wrap(policy{}).Build(&forgetful{}, balancer.BuildOptions{})
	h := &harness{TB: t, balancer: b}
	before := heapInUse()
	for _, list := range [][]resolver.Endpoint{long, long[:few]} {
		if err := h.update(list...); err != nil {
			t.Fatal(err)
		}
	}
	if grown := heapInUse() - before; grown > 64<<10 {
		t.Errorf("heap with %d endpoints, after a list of %d entries = %d bytes more than before, want at most 64 kB", few, len(long), grown)
	}
	runtime.KeepAlive(h)
	runtime.KeepAlive(long)
}

func heapInUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestMemoryGoesBackWhenEndpointsLeave(t *testing.T) {
	for name, most := range map[string][]int{
		"at once":            {100_000},
		"bit by bit":         {100_000, 60_000, 30_000, 10_000, 3000, 1000, 300, 100, 30},
		"all, then few come": {100_000, 0},
		"twice":              {100_000, few, 100_000},
	} {
		t.Run(name, func(t *testing.T) {
			var before int64
			h, _ := newShrunk(t, func() { before = heapInUse() }, most...)
			if grown := heapInUse() - before; grown > 64<<10 {
				t.Errorf("heap after 100,000 endpoints came and left = %d bytes more than before, want at most 64 kB", grown)
			}
			runtime.KeepAlive(h)
		})
	}
}

// One more failure of an endpoint, with others failing, after many have left.
func BenchmarkFailureAfterShrink(b *testing.B) {
	for _, most := range []int{few, 1000, 10_000, 100_000} {
		b.Run(strconv.Itoa(most), func(b *testing.B) {
			_, all := newShrunk(b, func() {}, most)
			b.ReportAllocs()
			for b.Loop() {
				all[0].set(failure, errRefused)
			}
		})
	}
}
