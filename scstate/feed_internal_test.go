package scstate

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/resolver"
)

// These tests are inside the package because they need a queue that holds something
// while nobody runs it. Outside, that lasts from a Put to the kick after it on
// another goroutine, which no test can hit at will.

// orderPolicy notes in which order its calls come.
type orderPolicy struct {
	balancer.Balancer
	order []string
}

func (p *orderPolicy) Name() string { return "scstate_order" }

func (p *orderPolicy) Build(balancer.ClientConn, balancer.BuildOptions) balancer.Balancer { return p }

func (p *orderPolicy) UpdateClientConnState(balancer.ClientConnState) error {
	p.order = append(p.order, "update")
	return balancer.ErrBadResolverState
}

type noResolver struct{ balancer.ClientConn }

func (noResolver) ResolveNow(resolver.ResolveNowOptions) {}

// stranded returns a feed in whose queue fn is left, with nobody to run it.
func stranded(t *testing.T, p *orderPolicy, cc balancer.ClientConn, fn func(*feed), opts ...Option) *feed {
	t.Helper()
	f, ok := Wrap(p, opts...).Build(cc, balancer.BuildOptions{}).(*feed)
	if !ok {
		t.Fatal("Build did not return a *feed")
	}
	f.buf.Put(Update{deliver: func(balancer.SubConnState) { fn(f) }})
	return f
}

func TestInlineAnUpdateComesAfterWhatArrivedBeforeAndBeforeWhatArrivesMeanwhile(t *testing.T) {
	p := &orderPolicy{}
	f := stranded(t, p, nil, func(f *feed) {
		p.order = append(p.order, "before")
		f.call(func() { p.order = append(p.order, "meanwhile") })
	})
	if err := f.UpdateClientConnState(balancer.ClientConnState{}); err == nil {
		t.Error("UpdateClientConnState = nil, want the policy's error")
	}
	if diff := cmp.Diff([]string{"before", "update", "meanwhile"}, p.order); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

func TestDetachedAnUpdateDoesNotWaitForWhatArrivedBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &orderPolicy{}
		f := stranded(t, p, noResolver{}, func(*feed) {
			time.Sleep(time.Hour)
			p.order = append(p.order, "before")
		}, Detached())
		start := time.Now()
		if err := f.UpdateClientConnState(balancer.ClientConnState{}); err != nil {
			t.Errorf("UpdateClientConnState = %v, want nil", err)
		}
		if got := time.Since(start); got != 0 {
			t.Errorf("UpdateClientConnState took %v, want 0", got)
		}
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if diff := cmp.Diff([]string{"before", "update"}, p.order); diff != "" {
			t.Errorf("order (-want +got):\n%s", diff)
		}
	})
}

func TestCloseLeavesNothingBehindItself(t *testing.T) {
	var b Buffer[int]
	b.Put(1)
	if !b.putLast(2) || b.putLast(3) || b.Put(4) {
		t.Error("putLast did not close the Buffer behind its element")
	}
	if diff := cmp.Diff([]int{1, 2}, b.Take(nil)); diff != "" {
		t.Errorf("Take (-want +got):\n%s", diff)
	}
}
