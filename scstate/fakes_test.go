package scstate_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/experimental/stats"
	"google.golang.org/grpc/resolver"

	"github.com/evenkeel-grpc/evenkeel/scstate"
)

// fakeClientConn is grpc's side of a policy. A hook in on runs inside the call
// of that name, on the caller's goroutine, as a parent policy's code would.
type fakeClientConn struct {
	balancer.ClientConn // nil: what is not faked must not be called

	on map[string]func(*fakeSubConn)

	mu          sync.Mutex // guards the fields below
	states      []balancer.State
	resolveNows int
	readdressed []balancer.SubConn
}

func (c *fakeClientConn) run(call string, sc *fakeSubConn) {
	if hook := c.on[call]; hook != nil {
		hook(sc)
	}
}

func (c *fakeClientConn) NewSubConn(addrs []resolver.Address, opts balancer.NewSubConnOptions) (balancer.SubConn, error) {
	if addrs[0].Addr == "bad" {
		return nil, errors.New("fake: bad address")
	}
	sc := &fakeSubConn{cc: c, addr: addrs[0].Addr, listener: opts.StateListener}
	c.run("NewSubConn", sc)
	return sc, nil
}

func (c *fakeClientConn) UpdateState(s balancer.State) {
	c.mu.Lock()
	c.states = append(c.states, s)
	c.mu.Unlock()
	c.run("UpdateState", nil)
}

func (c *fakeClientConn) ResolveNow(resolver.ResolveNowOptions) {
	c.mu.Lock()
	c.resolveNows++
	c.mu.Unlock()
	c.run("ResolveNow", nil)
}

func (c *fakeClientConn) UpdateAddresses(sc balancer.SubConn, _ []resolver.Address) {
	c.mu.Lock()
	c.readdressed = append(c.readdressed, sc)
	c.mu.Unlock()
	c.run("UpdateAddresses", nil)
}

func (*fakeClientConn) Target() string { return "fake:///target" }

func (*fakeClientConn) MetricsRecorder() stats.MetricsRecorder {
	return struct {
		stats.UnimplementedMetricsRecorder
	}{}
}

// resolved returns how often ResolveNow was called.
func (c *fakeClientConn) resolved() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.resolveNows
}

// last returns the state that was reported last.
func (c *fakeClientConn) last(tb testing.TB) balancer.State {
	tb.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.states) == 0 {
		tb.Fatal("the policy reported no state")
	}
	return c.states[len(c.states)-1]
}

// fakeSubConn is grpc's SubConn: what a policy gets stands for one of these.
type fakeSubConn struct {
	balancer.SubConn // nil: what is not faked must not be called

	cc       *fakeClientConn
	addr     string
	listener func(balancer.SubConnState)

	mu       sync.Mutex // guards the fields below
	health   func(balancer.SubConnState)
	cleared  int // how often a nil health listener came
	shutDown int
}

func (s *fakeSubConn) Connect() { s.cc.run("SubConn.Connect", s) }

func (s *fakeSubConn) Shutdown() {
	s.mu.Lock()
	s.shutDown++
	s.mu.Unlock()
	s.cc.run("SubConn.Shutdown", s)
}

func (s *fakeSubConn) UpdateAddresses([]resolver.Address) { s.cc.run("SubConn.UpdateAddresses", s) }

func (s *fakeSubConn) GetOrBuildProducer(balancer.ProducerBuilder) (balancer.Producer, func()) {
	s.cc.run("SubConn.GetOrBuildProducer", s)
	return nil, func() {}
}

func (s *fakeSubConn) RegisterHealthListener(l func(balancer.SubConnState)) {
	s.mu.Lock()
	s.health = l
	if l == nil {
		s.cleared++
	}
	s.mu.Unlock()
	s.cc.run("SubConn.RegisterHealthListener", s)
}

func (s *fakeSubConn) String() string { return "fake:" + s.addr }

// report calls the state listener as grpc does.
func (s *fakeSubConn) report(c connectivity.State) {
	s.listener(balancer.SubConnState{ConnectivityState: c})
}

// reportHealth calls the health listener as grpc does.
func (s *fakeSubConn) reportHealth(c connectivity.State) { s.healthListener()(stateOf(c)) }

func (s *fakeSubConn) healthListener() func(balancer.SubConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.health
}

func stateOf(c connectivity.State) balancer.SubConnState {
	return balancer.SubConnState{ConnectivityState: c}
}

// fakePolicy logs each call, runs the hook that is set for it, and checks that
// calls neither overlap nor come after Close.
type fakePolicy struct {
	cc balancer.ClientConn

	onBuild  func(*fakePolicy)
	onUpdate func(balancer.ClientConnState) error
	on       map[string]func() // by logged call

	running atomic.Int32
	closed  atomic.Bool

	mu     sync.Mutex // guards the fields below
	log    []string
	faults []string
}

func (*fakePolicy) Name() string { return "scstate_fake" }

func (p *fakePolicy) Build(cc balancer.ClientConn, _ balancer.BuildOptions) balancer.Balancer {
	p.cc = cc
	if p.onBuild != nil {
		p.call("build", func() { p.onBuild(p) })
	}
	return p
}

// call is one call into the policy.
func (p *fakePolicy) call(what string, fn func()) {
	if p.running.Add(1) != 1 {
		p.fault(what + " beside another call")
	}
	defer p.running.Add(-1)
	if p.closed.Load() {
		p.fault(what + " after Close")
	}
	p.note(what)
	if hook := p.on[what]; hook != nil {
		hook()
	}
	if fn != nil {
		fn()
	}
}

// note logs what happens in the middle of a call.
func (p *fakePolicy) note(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.log = append(p.log, what)
}

func (p *fakePolicy) fault(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, what)
}

func (p *fakePolicy) UpdateClientConnState(s balancer.ClientConnState) (err error) {
	p.call("update "+s.ResolverState.Endpoints[0].Addresses[0].Addr, func() {
		if p.onUpdate != nil {
			err = p.onUpdate(s)
		}
	})
	return err
}

func (p *fakePolicy) ResolverError(err error) { p.call("error "+err.Error(), nil) }

func (p *fakePolicy) UpdateSubConnState(sc balancer.SubConn, s balancer.SubConnState) {
	p.call(fmt.Sprint("old ", sc, " ", s.ConnectivityState), nil)
}

func (p *fakePolicy) ExitIdle() { p.call("exit idle", nil) }

func (p *fakePolicy) Close() { p.call("close", func() { p.closed.Store(true) }) }

// newSubConn creates a SubConn whose changes are logged as "addr STATE", and
// returns it with the fake that it stands for.
func (p *fakePolicy) newSubConn(tb testing.TB, addr string) (balancer.SubConn, *fakeSubConn) {
	tb.Helper()
	sc, err := p.cc.NewSubConn([]resolver.Address{{Addr: addr}}, balancer.NewSubConnOptions{
		StateListener: func(s balancer.SubConnState) { p.call(fmt.Sprint(addr, " ", s.ConnectivityState), nil) },
	})
	if err != nil {
		tb.Fatalf("NewSubConn(%q) = %v", addr, err)
	}
	return sc, fakeOf(tb, sc)
}

// logHealth registers a health listener that logs as "addr health STATE".
func (p *fakePolicy) logHealth(sc balancer.SubConn, name string) {
	sc.RegisterHealthListener(func(s balancer.SubConnState) {
		p.call(fmt.Sprint(name, " health ", s.ConnectivityState), nil)
	})
}

func (p *fakePolicy) calls() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.log)
}

// batchPolicy is a fakePolicy that takes batches.
type batchPolicy struct {
	*fakePolicy
	batches [][]string
	abuse   bool // whether Receive writes over its batch
}

func (p *batchPolicy) Build(cc balancer.ClientConn, o balancer.BuildOptions) balancer.Balancer {
	p.fakePolicy.Build(cc, o)
	return p
}

func (p *batchPolicy) Receive(batch []scstate.Update) {
	p.call("receive", nil)
	var names []string
	for _, u := range batch {
		names = append(names, fmt.Sprint(u.SubConn, " ", u.State.ConnectivityState, " ", u.Health))
		u.Deliver() // Inside the same call, so a listener must not note one of its own.
	}
	p.batches = append(p.batches, names)
	if p.abuse {
		clear(append(batch, make([]scstate.Update, 8)...))
	}
}
