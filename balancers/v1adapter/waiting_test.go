package v1adapter_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/balancer"

	"github.com/evenkeel-grpc/evenkeel/balancers/v1adapter"
)

// Waiting: with 1,000 blocked RPCs whose Gets return one by one, each wake-up
// has work for many RPCs: grpc wakes all of them each time.
func TestWakeUpsAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 1000
		w, f := newWorld(t, "a"), newFake(addrs("a")...)
		release := make(chan struct{})
		f.get = f.blocks(release)
		var publications atomic.Int64
		registered = f
		cc := w.dial(append(v1adapter.DialOptions(f)[1:], grpc.WithDefaultServiceConfig(`{"loadBalancingConfig":[{"test_counted":{}}]}`))...)
		counted.Store(&publications)
		var waiting []<-chan reply
		for range n {
			waiting = append(waiting, goCall(t.Context(), cc, grpc.WaitForReady(true)))
		}
		time.Sleep(time.Second)
		before := publications.Load()
		for range n {
			release <- struct{}{}
			time.Sleep(100 * time.Microsecond)
		}
		time.Sleep(time.Second)
		for _, c := range waiting {
			if r := ended(t, c); r.server != "a" {
				t.Errorf("RPC = %q, %v, want a", r.server, r.err)
			}
		}
		if got := publications.Load() - before; got > n/10 {
			t.Errorf("wake-ups for %d Gets = %d, want at most %d", n, got, n/10)
		}
		if gets, puts := f.counts(); gets != n || puts != n {
			t.Errorf("Gets = %d, puts = %d, want %d each", gets, puts, n)
		}
	})
}

// counted counts what the policy test_counted publishes.
var counted atomic.Pointer[atomic.Int64]

func init() { balancer.Register(countingBuilder{}) }

// countingBuilder is NewBuilder's on a channel that counts.
type countingBuilder struct{}

func (countingBuilder) Name() string { return "test_counted" }

func (countingBuilder) Build(cc balancer.ClientConn, opts balancer.BuildOptions) balancer.Balancer {
	b := v1adapter.NewBuilder("inner", func() v1adapter.Balancer { return registered })
	return b.Build(countingConn{cc}, opts)
}

type countingConn struct{ balancer.ClientConn }

func (c countingConn) UpdateState(s balancer.State) {
	if n := counted.Load(); n != nil {
		n.Add(1)
	}
	c.ClientConn.UpdateState(s)
}
