package v1adapter_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/resolver"

	"github.com/evenkeel-grpc/evenkeel/balancers/v1adapter"
	"github.com/evenkeel-grpc/evenkeel/internal/fakecc"
)

// overFake is an adapter on a fake channel.
type overFake struct {
	*fakecc.ClientConn
	balancer balancer.Balancer
}

// onFake builds an adapter and gives it the first update.
func onFake(tb testing.TB, b v1adapter.Balancer) *overFake {
	tb.Helper()
	cc := &fakecc.ClientConn{Discard: true}
	built := v1adapter.NewBuilder("fake", func() v1adapter.Balancer { return b }).Build(cc, balancer.BuildOptions{
		Target: resolver.Target{URL: *target(tb, "passthrough:///target")},
	})
	if err := built.UpdateClientConnState(balancer.ClientConnState{}); err != nil {
		tb.Fatal(err)
	}
	return &overFake{cc, built}
}

// fixed is a v1 balancer with n addresses, all of them up.
type fixed struct {
	addrs []v1adapter.Address
	lists chan []v1adapter.Address
	turn  atomic.Uint64
	up    chan v1adapter.Address
}

func newFixed(n int) *fixed {
	f := &fixed{lists: make(chan []v1adapter.Address, 1), up: make(chan v1adapter.Address, n)}
	for i := range n {
		f.addrs = append(f.addrs, v1adapter.Address{Addr: "e" + strconv.Itoa(i)})
	}
	f.lists <- f.addrs
	return f
}

func (f *fixed) Start(string, v1adapter.BalancerConfig) error { return nil }
func (f *fixed) Up(a v1adapter.Address) func(error)           { f.up <- a; return nil }
func (f *fixed) Notify() <-chan []v1adapter.Address           { return f.lists }
func (f *fixed) Close() error                                 { return nil }
func (f *fixed) Get(context.Context, v1adapter.BalancerGetOptions) (v1adapter.Address, func(), error) {
	return f.addrs[f.turn.Add(1)%uint64(len(f.addrs))], nil, nil
}

// pickAll picks for a fail-fast, a wait-for-ready and an unknown RPC, none of
// which has anywhere to go.
func pickAll(t *testing.T, p balancer.Picker) {
	t.Helper()
	for _, ctx := range []context.Context{t.Context(), nil} {
		if _, err := p.Pick(balancer.PickInfo{Ctx: ctx}); !errors.Is(err, balancer.ErrNoSubConnAvailable) {
			t.Errorf("Pick() = %v, want ErrNoSubConnAvailable", err)
		}
	}
}

// readyPicker returns the picker of an adapter whose n connections are READY.
func readyPicker(tb testing.TB, n int, b v1adapter.Balancer, up <-chan v1adapter.Address) balancer.Picker {
	tb.Helper()
	o := onFake(tb, b)
	tb.Cleanup(o.balancer.Close)
	for len(o.SubConns()) < n {
		runtime.Gosched()
	}
	for _, sc := range o.SubConns() {
		sc.Set(connectivity.Ready, nil)
	}
	for range n {
		<-up
	}
	for o.State().ConnectivityState != connectivity.Ready {
		runtime.Gosched()
	}
	return o.State().Picker
}

// plain is a v2 picker that does what fixed does.
type plain struct {
	turn atomic.Uint64
	scs  []balancer.SubConn
}

func (p *plain) Pick(balancer.PickInfo) (balancer.PickResult, error) {
	return balancer.PickResult{SubConn: p.scs[p.turn.Add(1)%uint64(len(p.scs))]}, nil
}

func TestPickDoesNotAllocate(t *testing.T) {
	f := newFixed(100)
	p := readyPicker(t, 100, f, f.up)
	allocs := testing.AllocsPerRun(1000, func() {
		if _, err := p.Pick(balancer.PickInfo{Ctx: t.Context()}); err != nil {
			t.Error(err)
		}
	})
	if allocs != 0 {
		t.Errorf("allocations per pick = %v, want 0", allocs)
	}
}

// BenchmarkPick shows what the adapter adds to a plain picker that does the
// same. The difference is to be at most 250 ns.
func BenchmarkPick(b *testing.B) {
	for _, n := range []int{3, 100, 10000} {
		f := newFixed(n)
		adapted := readyPicker(b, n, f, f.up)
		scs := make([]balancer.SubConn, n)
		for i := range scs {
			scs[i] = &fakecc.SubConn{}
		}
		for _, tt := range []struct {
			name   string
			picker balancer.Picker
		}{{"plain", &plain{scs: scs}}, {"adapted", adapted}} {
			b.Run(fmt.Sprintf("%s/%d", tt.name, n), func(b *testing.B) { benchmarkPicker(b, tt.picker) })
		}
	}
}

func benchmarkPicker(b *testing.B, p balancer.Picker) {
	b.Helper()
	b.ReportAllocs()
	info := balancer.PickInfo{Ctx: context.WithValue(b.Context(), struct{ k int }{1}, 2)}
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := p.Pick(info); err != nil {
				b.Error(err)
			}
		}
	})
}
