package scstate_test

import (
	"testing"
	"testing/synctest"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/resolver"

	"github.com/evenkeel-grpc/evenkeel/scstate"
)

// occupy makes the policy busy, on a goroutine of its own, with a posted call
// that ends when the returned function is called.
func occupy(tb testing.TB, p *fakePolicy) (free func()) {
	tb.Helper()
	done := make(chan struct{})
	go scstate.Post(p.cc, func() { p.call("busy", func() { <-done }) })
	synctest.Wait()
	return func() { close(done) }
}

// build wraps p, builds it over cc, and checks at the end of the test that calls
// neither overlapped nor came after Close.
func build(tb testing.TB, p *fakePolicy, cc balancer.ClientConn, opts ...scstate.Option) balancer.Balancer {
	tb.Helper()
	tb.Cleanup(func() {
		for _, f := range p.faults {
			tb.Error(f)
		}
	})
	return scstate.Wrap(p, opts...).Build(cc, balancer.BuildOptions{})
}

// update is a resolver update with one endpoint.
func update(addr string) balancer.ClientConnState {
	return balancer.ClientConnState{ResolverState: resolver.State{
		Endpoints: []resolver.Endpoint{{Addresses: []resolver.Address{{Addr: addr}}}},
	}}
}

// bubble is a test in a bubble, with the options for one mode.
type bubble struct {
	*testing.T
	opts []scstate.Option
}

// inEachMode runs fn in a bubble for each mode. No test that uses it closes its
// feed for the sake of cleaning up: a goroutine that an idle feed kept would
// fail the bubble.
func inEachMode(t *testing.T, fn func(bubble)) {
	t.Helper()
	for name, opts := range map[string][]scstate.Option{"inline": nil, "detached": {scstate.Detached()}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { fn(bubble{t, opts}) })
		})
	}
}

// fakeOf returns the fake that sc stands for.
func fakeOf(tb testing.TB, sc balancer.SubConn) *fakeSubConn {
	tb.Helper()
	fake, ok := scstate.Base(sc).(*fakeSubConn)
	if !ok {
		tb.Fatalf("Base(%v) is a %T, want a *fakeSubConn", sc, scstate.Base(sc))
	}
	return fake
}
