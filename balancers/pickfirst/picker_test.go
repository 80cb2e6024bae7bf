package pickfirst_test

import (
	"testing"

	"google.golang.org/grpc/balancer"
)

func TestPickDoesNotAllocate(t *testing.T) {
	h := newHarness(t, `{}`)
	h.mustResolve("a:1")
	h.set(ready, "a:1")
	p := h.State().Picker
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
	h := newHarness(b, `{}`)
	h.mustResolve("a:1")
	h.set(ready, "a:1")
	p := h.State().Picker
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := p.Pick(balancer.PickInfo{}); err != nil {
				b.Error(err)
			}
		}
	})
}
