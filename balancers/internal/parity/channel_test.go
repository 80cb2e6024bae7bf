package parity_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/test/bufconn"

	"github.com/evenkeel-grpc/evenkeel/internal/builtin"
)

// grpc-go's policies can be selected under these names.
func init() {
	pf, err := builtin.PickFirst()
	if err != nil {
		panic(err)
	}
	rr, err := builtin.RoundRobin()
	if err != nil {
		panic(err)
	}
	parser, _ := pf.(balancer.ConfigParser)
	balancer.Register(renamed{pf, parser})
	balancer.Register(rr)
}

// renamed is grpc-go's pick_first as "grpc_pick_first".
type renamed struct {
	balancer.Builder
	balancer.ConfigParser
}

func (renamed) Name() string { return "grpc_pick_first" }

// channel is a real channel with one side's policy and real servers, in a bubble.
type channel struct {
	*testing.T
	*grpc.ClientConn

	grpcGo   bool
	policy   string // as in the service config
	resolver *manual.Resolver
	slow     time.Duration // how long a new connection takes; set while none is under way

	mu      sync.Mutex // guards the fields below
	servers map[string]*server
	asked   int // ResolveNow calls
}

type server struct {
	listener *bufconn.Listener
	grpc     *grpc.Server
	health   *health.Server
}

// onChannels runs f over grpc-go's policy and over ours. f has to dial.
func onChannels(t *testing.T, policy string, f func(c *channel)) {
	t.Helper()
	for _, prefix := range []string{"grpc_", ""} {
		t.Run(prefix+policy, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &channel{
					T: t, grpcGo: prefix != "", policy: prefix + policy,
					resolver: manual.NewBuilderWithScheme("parity"), servers: map[string]*server{},
				}
				c.resolver.ResolveNowCallback = c.resolveNow
				defer c.end()
				f(c)
			})
		})
	}
}

func (c *channel) resolveNow(resolver.ResolveNowOptions) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
}

// takeAsked returns how often the resolver was asked since the last call.
func (c *channel) takeAsked() int {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.asked
	c.asked = 0
	return n
}

// config returns a service config that selects the side's policy, with more
// fields if wanted.
func (c *channel) config(more string) string {
	return fmt.Sprintf(`{"loadBalancingConfig":[{%q:{}}]%s}`, c.policy, more)
}

// dial starts servers at the addresses and connects a channel to them.
func (c *channel) dial(addrs []string, opts ...grpc.DialOption) {
	c.Helper()
	for _, a := range addrs {
		c.start(a)
	}
	c.resolver.InitialState(resolver.State{Endpoints: singles(addrs...)})
	var err error
	c.ClientConn, err = grpc.NewClient("parity:///"+c.Name(), append([]grpc.DialOption{
		grpc.WithResolvers(c.resolver),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(c.connect),
		grpc.WithDefaultServiceConfig(c.config("")),
	}, opts...)...)
	if err != nil {
		c.Fatal(err)
	}
}

func (c *channel) end() {
	if c.ClientConn != nil {
		if err := c.Close(); err != nil {
			c.Errorf("Close() = %v", err)
		}
	}
	for _, a := range slices.Collect(maps.Keys(c.servers)) {
		c.stop(a)
	}
}

func (c *channel) start(addr string) {
	s := &server{bufconn.Listen(1 << 16), grpc.NewServer(), health.NewServer()}
	healthpb.RegisterHealthServer(s.grpc, s.health)
	go func() { _ = s.grpc.Serve(s.listener) }()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.servers[addr] = s
}

// stop stops the server and waits until everybody has noticed.
func (c *channel) stop(addr string) {
	c.mu.Lock()
	s := c.servers[addr]
	delete(c.servers, addr)
	c.mu.Unlock()
	s.grpc.Stop()
	synctest.Wait()
}

// connect is the channel's dialer.
func (c *channel) connect(ctx context.Context, addr string) (net.Conn, error) {
	c.mu.Lock()
	s := c.servers[addr]
	c.mu.Unlock()
	if s == nil {
		return nil, errors.New(addr + " refused")
	}
	select {
	case <-time.After(c.slow):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	conn, err := s.listener.DialContext(ctx)
	return named{conn, addr}, err
}

// named is a connection that knows its address.
type named struct {
	net.Conn
	addr string
}

func (n named) RemoteAddr() net.Addr { return n }
func (named) Network() string        { return "bufconn" }
func (n named) String() string       { return n.addr }

// call makes one RPC and returns the address that answered.
func (c *channel) call(opts ...grpc.CallOption) (string, error) {
	ctx, cancel := context.WithTimeout(c.Context(), 5*time.Second)
	defer cancel()
	var p peer.Peer
	if _, err := healthpb.NewHealthClient(c).Check(ctx, &healthpb.HealthCheckRequest{}, append(opts, grpc.Peer(&p))...); err != nil {
		return "", err
	}
	return p.Addr.String(), nil
}

// wantCalls makes as many RPCs and checks who answered, in any order.
func (c *channel) wantCalls(want ...string) {
	c.Helper()
	var got []string
	for range want {
		addr, err := c.call()
		if err != nil {
			c.Fatalf("RPC = %v, want it answered by one of %q", err, want)
		}
		got = append(got, addr)
	}
	slices.Sort(got)
	if slices.Sort(want); !slices.Equal(got, want) {
		c.Errorf("RPCs were answered by %q, want %q in any order", got, want)
	}
}

func (c *channel) wantState(want connectivity.State) {
	c.Helper()
	synctest.Wait()
	if got := c.GetState(); got != want {
		c.Errorf("state = %v, want %v", got, want)
	}
}

// up connects the channel to all that it can be connected to.
func (c *channel) up() {
	c.Helper()
	c.Connect()
	time.Sleep(time.Second)
	c.wantState(ready)
}
