package scstate_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/balancer/roundrobin"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/test/bufconn"

	"github.com/evenkeel-grpc/evenkeel/scstate"
)

// renamed is a builder under a name that only this test uses.
type renamed struct {
	balancer.Builder
	name string
}

func (r renamed) Name() string { return r.name }

// network is a set of servers, each under its address.
type network struct {
	mu      sync.Mutex // guards the fields below
	servers map[string]*server
}

type server struct {
	listener *bufconn.Listener
	grpc     *grpc.Server
	rpcs     atomic.Int64
}

func (n *network) start(addr string) *server {
	s := &server{listener: bufconn.Listen(1 << 16)}
	s.grpc = grpc.NewServer(grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
		if err := stream.RecvMsg(new(healthpb.HealthCheckRequest)); err != nil {
			return err
		}
		s.rpcs.Add(1)
		return stream.SendMsg(new(healthpb.HealthCheckRequest))
	}))
	go func() { _ = s.grpc.Serve(s.listener) }()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.servers[addr] = s
	return s
}

func (n *network) stop(addr string) {
	n.mu.Lock()
	s := n.servers[addr]
	delete(n.servers, addr)
	n.mu.Unlock()
	if s != nil {
		s.grpc.Stop()
	}
}

func (n *network) dial(ctx context.Context, addr string) (net.Conn, error) {
	n.mu.Lock()
	s := n.servers[addr]
	n.mu.Unlock()
	if s == nil {
		return nil, errors.New("connection refused")
	}
	return s.listener.DialContext(ctx)
}

func rpc(t *testing.T, cc *grpc.ClientConn) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	return cc.Invoke(ctx, "/test/Call", new(healthpb.HealthCheckRequest), new(healthpb.HealthCheckRequest))
}

func TestEndToEnd(t *testing.T) {
	builders := nestings()
	for name, opts := range map[string][]scstate.Option{
		"scstate_rr_inline": nil, "scstate_rr_detached": {scstate.Detached()},
	} {
		rr := renamed{balancer.Get(roundrobin.Name), name}
		builders[name] = scstate.Wrap(rr, opts...)
	}
	for name, builder := range builders {
		balancer.Register(builder)
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { endToEnd(bubble{T: t}, name) })
		})
	}
}

func endToEnd(t bubble, policy string) {
	addrs := []string{"a", "b", "c"}
	nw := &network{servers: map[string]*server{}}
	var endpoints []resolver.Endpoint
	for _, addr := range addrs {
		nw.start(addr)
		defer nw.stop(addr)
		endpoints = append(endpoints, resolver.Endpoint{Addresses: []resolver.Address{{Addr: addr}}})
	}
	source := manual.NewBuilderWithScheme("scstate")
	source.InitialState(resolver.State{Endpoints: endpoints})
	cc, err := grpc.NewClient("scstate:///test", grpc.WithResolvers(source),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(nw.dial),
		grpc.WithDefaultServiceConfig(fmt.Sprintf(`{"loadBalancingConfig":[{%q:{}}]}`, policy)))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := cc.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
	}()

	// spread makes RPCs, waits for the policy before, and checks the shares.
	spread := func(when string, live ...string) {
		t.Helper()
		if err := rpc(t.T, cc); err != nil {
			t.Fatalf("%s: first RPC: %v", when, err)
		}
		time.Sleep(10 * time.Minute) // Until all that can be is connected.
		before := map[string]int64{}
		for _, addr := range live {
			before[addr] = nw.servers[addr].rpcs.Load()
		}
		const each = 50
		for range each * len(live) {
			if err := rpc(t.T, cc); err != nil {
				t.Fatalf("%s: RPC: %v", when, err)
			}
		}
		for _, addr := range live {
			if got := nw.servers[addr].rpcs.Load() - before[addr]; got != each {
				t.Errorf("%s: RPCs on %q = %d, want %d", when, addr, got, each)
			}
		}
	}
	spread("at the start", addrs...)
	nw.stop("b")
	synctest.Wait()
	spread("with b stopped", "a", "c")
	nw.start("b")
	spread("with b back", addrs...)
	source.UpdateState(resolver.State{Endpoints: endpoints[:2]})
	synctest.Wait()
	spread("with c removed", "a", "b")
	for _, addr := range addrs {
		nw.stop(addr)
	}
	synctest.Wait()
	if err := rpc(t.T, cc); err == nil {
		t.Error("with no server: RPC = nil, want an error")
	}
	nw.start("a")
	time.Sleep(10 * time.Minute) // Past the longest backoff.
	spread("with a alone", "a")
}
