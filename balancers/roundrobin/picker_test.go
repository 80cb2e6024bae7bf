package roundrobin_test

import (
	"fmt"
	"strconv"
	"testing"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/resolver"

	"github.com/evenkeel-grpc/evenkeel/balancers/roundrobin"
	"github.com/evenkeel-grpc/evenkeel/internal/fakecc"
	"github.com/evenkeel-grpc/evenkeel/registry"
)

// readyPicker returns the picker of a balancer with n READY endpoints.
func readyPicker(tb testing.TB, n int) balancer.Picker {
	tb.Helper()
	builder, err := registry.Default.Balancer(roundrobin.Name)
	if err != nil {
		tb.Fatal(err)
	}
	cc := &fakecc.ClientConn{Discard: true}
	b := builder.Build(cc, balancer.BuildOptions{})
	tb.Cleanup(b.Close)
	var s resolver.State
	for i := range n {
		addr := resolver.Address{Addr: fmt.Sprintf("e%d:1", i)}
		s.Endpoints = append(s.Endpoints, resolver.Endpoint{Addresses: []resolver.Address{addr}})
	}
	if err := b.UpdateClientConnState(balancer.ClientConnState{ResolverState: s}); err != nil {
		tb.Fatal(err)
	}
	for _, sc := range cc.SubConns() {
		sc.Set(connectivity.Ready, nil)
	}
	return cc.State().Picker
}

func TestPickDoesNotAllocate(t *testing.T) {
	p := readyPicker(t, 100)
	allocs := testing.AllocsPerRun(1000, func() {
		if _, err := p.Pick(balancer.PickInfo{}); err != nil {
			t.Error(err)
		}
	})
	if allocs != 0 {
		t.Errorf("allocations per pick = %v, want 0", allocs)
	}
}

func BenchmarkPick(b *testing.B) {
	for _, n := range []int{3, 100, 10000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			p := readyPicker(b, n)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := p.Pick(balancer.PickInfo{}); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}
