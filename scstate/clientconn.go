package scstate

import (
	"fmt"
	"sync/atomic"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/resolver"
)

// Post runs fn as one of the policy's calls: never beside another one, after
// all that arrived before it, and not after Close. A policy calls it from its
// timers, pickers and goroutines with the ClientConn that its Build received.
//
// Inline, fn and whatever else is queued may run before Post returns, on the
// caller's goroutine. So the caller must hold no lock that the policy takes, and
// must not be one that grpc waits for, as it waits for a balancer.Producer to
// close: such a caller starts a goroutine that calls Post.
//
// It returns false, and drops fn, if the policy is closed, if fn is nil, or if cc
// is not the ClientConn of a wrapped policy: see [Wrapped].
func Post(cc balancer.ClientConn, fn func()) bool {
	c, ok := cc.(*clientConn)
	return ok && fn != nil && c.feed.post(fn)
}

// Wrapped reports whether cc is the ClientConn that a wrapped policy's Build
// received, itself and not something that embeds it.
func Wrapped(cc balancer.ClientConn) bool {
	_, ok := cc.(*clientConn)
	return ok
}

// clientConn is the ClientConn that the policy sees. Like subConn it tells the
// feed of the policy's calls into grpc.
type clientConn struct {
	balancer.ClientConn
	feed *feed
}

func (c *clientConn) NewSubConn(addrs []resolver.Address, opts balancer.NewSubConnOptions) (balancer.SubConn, error) {
	c.feed.outward.enter()
	defer c.feed.outward.leave()
	sc := &subConn{feed: c.feed, listener: opts.StateListener}
	if sc.listener == nil { // The policy is of the old kind.
		sc.listener = func(s balancer.SubConnState) { c.feed.policy.UpdateSubConnState(sc, s) }
	}
	opts.StateListener = sc.stateChanged
	base, err := c.ClientConn.NewSubConn(addrs, opts)
	if err != nil {
		return nil, err
	}
	if outer, ok := base.(*subConn); ok {
		c.feed.outer.Store(outer.feed) // It may have been hidden behind a ClientConn that embeds the parent's.
	}
	sc.SubConn = base
	return sc, nil
}

func (c *clientConn) UpdateState(s balancer.State) {
	c.feed.outward.enter()
	defer c.feed.outward.leave()
	s.Picker = upward(s.Picker)
	c.ClientConn.UpdateState(s)
}

func (c *clientConn) ResolveNow(o resolver.ResolveNowOptions) {
	c.feed.outward.enter()
	defer c.feed.outward.leave()
	c.ClientConn.ResolveNow(o)
}

// RemoveSubConn is deprecated in grpc and kept for policies that still call it.
func (c *clientConn) RemoveSubConn(sc balancer.SubConn) { sc.Shutdown() }

// UpdateAddresses is deprecated in grpc and kept for policies that still call
// it.
func (c *clientConn) UpdateAddresses(sc balancer.SubConn, addrs []resolver.Address) {
	c.feed.outward.enter()
	defer c.feed.outward.leave()
	c.ClientConn.UpdateAddresses(Base(sc), addrs)
}

// subConn is the SubConn that the policy sees: grpc's own, with listeners that
// put into the feed.
type subConn struct {
	balancer.SubConn // grpc's own
	feed             *feed
	listener         func(balancer.SubConnState)
	shutDown         atomic.Bool
	registered       atomic.Uint32 // how often a health listener was
	reporting        atomic.Bool   // a health report is being delivered, under grpc's lock
}

func (s *subConn) stateChanged(state balancer.SubConnState) {
	s.feed.change(Update{SubConn: s, State: state, deliver: s.listener})
}

func (s *subConn) RegisterHealthListener(listener func(balancer.SubConnState)) {
	n := s.registered.Add(1) // From now on, older listeners hear nothing.
	if !s.reporting.Load() {
		s.register(n, listener)
		return
	}
	s.feed.call(func() { // after the report, which has grpc's lock
		if n == s.registered.Load() {
			s.register(n, listener)
		}
	})
}

func (s *subConn) register(n uint32, listener func(balancer.SubConnState)) {
	s.feed.outward.enter()
	defer s.feed.outward.leave()
	if listener == nil {
		s.SubConn.RegisterHealthListener(nil)
		return
	}
	s.SubConn.RegisterHealthListener(func(state balancer.SubConnState) {
		s.feed.health(s, Update{SubConn: s, State: state, Health: true, registration: n, deliver: listener})
	})
}

func (s *subConn) Shutdown() {
	s.feed.outward.enter()
	defer s.feed.outward.leave()
	s.shutDown.Store(true)
	s.SubConn.Shutdown()
}

func (s *subConn) Connect() {
	s.feed.outward.enter()
	defer s.feed.outward.leave()
	s.SubConn.Connect()
}

func (s *subConn) UpdateAddresses(addrs []resolver.Address) {
	s.feed.outward.enter()
	defer s.feed.outward.leave()
	s.SubConn.UpdateAddresses(addrs)
}

func (s *subConn) GetOrBuildProducer(b balancer.ProducerBuilder) (balancer.Producer, func()) {
	s.feed.outward.enter()
	defer s.feed.outward.leave()
	return s.SubConn.GetOrBuildProducer(b)
}

func (s *subConn) String() string { return fmt.Sprint(s.SubConn) }
