package main

import (
	"sync"
	"sync/atomic"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/resolver"
)

// census counts what one channel's balancer does.
type census struct {
	picks     atomic.Int64 // counted only if countPicks is set
	want      int64        // READY SubConns to wait for
	ready     atomic.Int64 // SubConns that have reported READY
	allReady  chan struct{}
	onceReady sync.Once

	countPicks bool
}

func newCensus(want int) *census {
	return &census{want: int64(want), allReady: make(chan struct{})}
}

func (c *census) add() {
	if c.ready.Add(1) >= c.want {
		c.onceReady.Do(func() { close(c.allReady) })
	}
}

// censuses has the census of each channel, by the endpoint of its target.
var censuses sync.Map

// registerCensus makes grpc find both sides' round_robin, each behind a census.
// It must be called before any channel exists.
func registerCensus(all ...*side) {
	for _, s := range all {
		balancer.Register(&censusBuilder{s.roundRobin, s.policy})
	}
}

// censusBuilder puts a census between grpc and the balancers of another builder.
type censusBuilder struct {
	balancer.Builder
	name string
}

var _ balancer.Builder = (*censusBuilder)(nil)

func (b *censusBuilder) Name() string { return b.name }

func (b *censusBuilder) Build(cc balancer.ClientConn, opts balancer.BuildOptions) balancer.Balancer {
	if c, ok := censuses.Load(opts.Target.Endpoint()); ok {
		cc = &countedClientConn{cc, c.(*census)} //nolint:errcheck // nothing else is stored
	}
	return b.Builder.Build(cc, opts)
}

type countedClientConn struct {
	balancer.ClientConn
	census *census
}

func (c *countedClientConn) NewSubConn(addrs []resolver.Address, opts balancer.NewSubConnOptions) (balancer.SubConn, error) {
	listener := opts.StateListener
	opts.StateListener = func(s balancer.SubConnState) {
		listener(s)
		if s.ConnectivityState == connectivity.Ready {
			c.census.add()
		}
	}
	return c.ClientConn.NewSubConn(addrs, opts)
}

func (c *countedClientConn) UpdateState(s balancer.State) {
	if c.census.countPicks {
		s.Picker = &countedPicker{s.Picker, c.census}
	}
	c.ClientConn.UpdateState(s)
}

type countedPicker struct {
	balancer.Picker
	census *census
}

func (p *countedPicker) Pick(info balancer.PickInfo) (balancer.PickResult, error) {
	p.census.picks.Add(1)
	return p.Picker.Pick(info)
}
