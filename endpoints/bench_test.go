package endpoints_test

import (
	"fmt"
	"strconv"
	"testing"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/resolver"

	"github.com/evenkeel-grpc/evenkeel/internal/fakecc"
	"github.com/evenkeel-grpc/evenkeel/scstate"
)

var sizes = []int{3, 100, 10000}

// benchHarness returns an engine with n endpoints, none of them READY.
func benchHarness(b *testing.B, n int) (*harness, []resolver.Endpoint) {
	b.Helper()
	h := &harness{ClientConn: &fakecc.ClientConn{Discard: true}, TB: b}
	h.balancer = scstate.Wrap(policy{}).Build(h.ClientConn, balancer.BuildOptions{})
	var addrs []string
	for i := range n {
		addrs = append(addrs, fmt.Sprintf("10.%d.%d.%d:1", i>>16, i>>8&255, i&255))
	}
	list := single(addrs...)
	if err := h.update(list...); err != nil {
		b.Fatal(err)
	}
	return h, list
}

func BenchmarkBringUp(b *testing.B) {
	for _, n := range sizes {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				h, _ := benchHarness(b, n)
				all := h.SubConns()
				b.StartTimer()
				for _, sc := range all {
					sc.Set(ready, nil)
				}
			}
		})
	}
}

func BenchmarkFlap(b *testing.B) {
	for _, n := range sizes {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			h, _ := benchHarness(b, n)
			for _, sc := range h.SubConns() {
				sc.Set(ready, nil)
			}
			sc := h.SubConns()[n/2]
			b.ReportAllocs()
			for b.Loop() {
				sc.Set(idle, nil)
				sc.Set(ready, nil)
			}
		})
	}
}

func BenchmarkIdenticalUpdate(b *testing.B) {
	for _, n := range sizes {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			h, list := benchHarness(b, n)
			var again []resolver.Endpoint
			for _, e := range list {
				again = append(again, single(e.Addresses[0].Addr)...)
			}
			s := balancer.ClientConnState{ResolverState: resolver.State{Endpoints: again}}
			b.ReportAllocs()
			for b.Loop() {
				if err := h.balancer.UpdateClientConnState(s); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
