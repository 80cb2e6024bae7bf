package main

import (
	"fmt"
	"runtime"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/resolver"
)

// fixture is a balancer on a stub channel.
type fixture struct {
	*channel
	balancer balancer.Balancer
	list     []resolver.Endpoint // the resolver's
}

// newFixture returns a fixture without endpoints; list is what resolve will
// send.
func newFixture(b balancer.Builder, n int) *fixture {
	c := newChannel(n)
	return &fixture{channel: c, balancer: b.Build(c, balancer.BuildOptions{}), list: endpointList(n, 443)}
}

// readyFixture returns one whose endpoints are all READY. The connections come
// up while the resolver update is under way, when no side does work for each:
// bringing 10,000 up otherwise takes grpc-go some 20 s.
func readyFixture(b balancer.Builder, n int) (*fixture, error) {
	f := newFixture(b, n)
	f.autoReady = true
	updated, drained := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(drained)
		for {
			f.drain()
			select {
			case <-updated:
				return
			default:
				runtime.Gosched()
			}
		}
	}()
	err := f.resolve(f.list)
	close(updated)
	<-drained
	f.drain()
	f.autoReady = false
	if err != nil {
		return nil, err
	}
	return f, f.allReady(n)
}

func (f *fixture) resolve(list []resolver.Endpoint) error {
	return f.balancer.UpdateClientConnState(balancer.ClientConnState{
		ResolverState: resolver.State{Endpoints: list},
	})
}

// set moves a SubConn to a state and delivers that and all that it causes.
func (f *fixture) set(sc *subConn, s connectivity.State) {
	f.queue(event{sc: sc, state: s})
	f.drain()
}

// allReady returns an error unless n picks give n different SubConns.
func (f *fixture) allReady(n int) error {
	seen := make(map[balancer.SubConn]bool, n)
	p := f.picker()
	for range n {
		res, err := p.Pick(balancer.PickInfo{})
		if err != nil {
			return fmt.Errorf("pick with all endpoints READY: %w", err)
		}
		seen[res.SubConn] = true
	}
	if len(seen) != n {
		return fmt.Errorf("%d picks gave %d SubConns, want %d", n, len(seen), n)
	}
	return nil
}

// endpointList returns n endpoints with one loopback address each, whose arrays
// no other call's result shares.
func endpointList(n, port int) []resolver.Endpoint {
	list := make([]resolver.Endpoint, n)
	for i := range list {
		addr := fmt.Sprintf("127.%d.%d.%d:%d", 1+i>>16, i>>8&255, i&255, port)
		list[i].Addresses = []resolver.Address{{Addr: addr}}
	}
	return list
}
