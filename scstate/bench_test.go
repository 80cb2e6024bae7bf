package scstate_test

import (
	"fmt"
	"sync"
	"testing"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/resolver"

	"github.com/evenkeel-grpc/evenkeel/scstate"
)

// BenchmarkBufferPut is the steady state: a Take after every few Puts.
func BenchmarkBufferPut(b *testing.B) {
	for _, queued := range []int{1, 16, 1024} {
		b.Run(fmt.Sprint("queued=", queued), func(b *testing.B) {
			b.ReportAllocs()
			var (
				buf   scstate.Buffer[scstate.Update]
				batch []scstate.Update
				n     int
			)
			for b.Loop() {
				buf.Put(scstate.Update{})
				if n++; n%queued == 0 {
					batch = buf.Take(batch)
				}
			}
		})
	}
}

// quietPolicy does nothing, and so leaves only the cost of the feed.
type quietPolicy struct {
	balancer.Balancer
	cc balancer.ClientConn
}

func (*quietPolicy) Name() string { return "scstate_quiet" }

func (p *quietPolicy) Build(cc balancer.ClientConn, _ balancer.BuildOptions) balancer.Balancer {
	p.cc = cc
	return p
}

func (*quietPolicy) UpdateClientConnState(balancer.ClientConnState) error { return nil }

func quiet(b *testing.B, cc balancer.ClientConn, opts ...scstate.Option) (*quietPolicy, balancer.Balancer) {
	b.Helper()
	p := &quietPolicy{}
	return p, scstate.Wrap(p, opts...).Build(cc, balancer.BuildOptions{})
}

func newSubConn(b *testing.B, cc balancer.ClientConn, listener func(balancer.SubConnState)) balancer.SubConn {
	b.Helper()
	sc, err := cc.NewSubConn([]resolver.Address{{Addr: "sc"}}, balancer.NewSubConnOptions{StateListener: listener})
	if err != nil {
		b.Fatal(err)
	}
	return sc
}

// BenchmarkFeedStateChange is from the report of a change to the return of the
// policy's listener.
func BenchmarkFeedStateChange(b *testing.B) {
	ready := stateOf(connectivity.Ready)
	b.Run("unwrapped", func(b *testing.B) {
		b.ReportAllocs()
		cc := &fakeClientConn{}
		n := 0
		sc, ok := newSubConn(b, cc, func(balancer.SubConnState) { n++ }).(*fakeSubConn)
		if !ok {
			b.Fatal("not a fake")
		}
		for b.Loop() {
			sc.listener(ready)
		}
	})
	b.Run("inline", func(b *testing.B) {
		b.ReportAllocs()
		p, _ := quiet(b, &fakeClientConn{})
		n := 0
		sc := fakeOf(b, newSubConn(b, p.cc, func(balancer.SubConnState) { n++ }))
		for b.Loop() {
			sc.listener(ready)
		}
	})
	b.Run("detached", func(b *testing.B) {
		b.ReportAllocs()
		p, _ := quiet(b, &fakeClientConn{}, scstate.Detached())
		done := make(chan struct{}, 1) // One change is under way at a time.
		sc := fakeOf(b, newSubConn(b, p.cc, func(balancer.SubConnState) { done <- struct{}{} }))
		for b.Loop() {
			sc.listener(ready)
			<-done
		}
	})
	b.Run("detached burst", func(b *testing.B) {
		b.ReportAllocs()
		p, _ := quiet(b, &fakeClientConn{}, scstate.Detached())
		var wg sync.WaitGroup
		sc := fakeOf(b, newSubConn(b, p.cc, func(balancer.SubConnState) { wg.Done() }))
		for b.Loop() {
			wg.Add(1)
			sc.listener(ready)
		}
		wg.Wait()
	})
}

func BenchmarkFeedUpdateClientConnState(b *testing.B) {
	for name, opts := range map[string][]scstate.Option{"inline": nil, "detached": {scstate.Detached()}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			_, feed := quiet(b, &fakeClientConn{}, opts...)
			state := update("x")
			for b.Loop() {
				if err := feed.UpdateClientConnState(state); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkPick(b *testing.B) {
	cc := &fakeClientConn{}
	p, _ := quiet(b, cc)
	sc := newSubConn(b, p.cc, nil)
	for _, bb := range []struct {
		name   string
		picker balancer.Picker
	}{
		{"direct", scstate.Direct(&fakePicker{res: balancer.PickResult{SubConn: scstate.Base(sc)}})},
		{"translated", &fakePicker{res: balancer.PickResult{SubConn: sc}}},
	} {
		p.cc.UpdateState(balancer.State{Picker: bb.picker})
		picker := cc.states[len(cc.states)-1].Picker
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := picker.Pick(balancer.PickInfo{}); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}
