package roundrobin_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/serviceconfig"

	"github.com/evenkeel-grpc/evenkeel/balancers/roundrobin"
	"github.com/evenkeel-grpc/evenkeel/internal/held"
	"github.com/evenkeel-grpc/evenkeel/registry"
)

// config lets RPCs that a stopping server has cut off be tried again.
const config = `{"loadBalancingConfig":[{"round_robin":{}}],"methodConfig":[{"name":[{}],"retryPolicy":
	{"maxAttempts":3,"initialBackoff":"0.01s","maxBackoff":"0.01s","backoffMultiplier":1,"retryableStatusCodes":["UNAVAILABLE"]}}]}`

// server answers health checks on 127.0.0.1.
type server struct {
	healthpb.UnimplementedHealthServer
	*grpc.Server
	addr  string
	conns chan net.Conn // those accepted
}

// accepting passes the server's connections on.
type accepting struct {
	net.Listener
	conns chan<- net.Conn
}

func (l accepting) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		l.conns <- c
	}
	return c, err
}

// drop closes the server's connection and waits for the next.
func (s *server) drop(t *testing.T) {
	t.Helper()
	if err := (<-s.conns).Close(); err != nil {
		t.Error(err)
	}
	c := <-s.conns
	s.conns <- c
	time.Sleep(5 * time.Millisecond) // until the client knows
}

func (s *server) Check(context.Context, *healthpb.HealthCheckRequest) (*healthpb.HealthCheckResponse, error) {
	return &healthpb.HealthCheckResponse{Status: healthpb.HealthCheckResponse_SERVING}, nil
}

// start starts a server on addr, or on one of its own if addr is empty.
func start(tb testing.TB, addr string) *server {
	tb.Helper()
	if addr == "" {
		addr = held.Addr(tb)
	}
	lis, err := (&net.ListenConfig{}).Listen(tb.Context(), "tcp", addr)
	if err != nil {
		tb.Fatal(err)
	}
	s := &server{Server: grpc.NewServer(), addr: lis.Addr().String(), conns: make(chan net.Conn, 1000)}
	healthpb.RegisterHealthServer(s.Server, s)
	go func() {
		// Stopped may be before started.
		if err := s.Serve(accepting{lis, s.conns}); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			tb.Errorf("Serve() = %v", err)
		}
	}()
	tb.Cleanup(s.Stop)
	return s
}

// dial returns a channel that balances over the servers, and its resolver.
func dial(tb testing.TB, servers ...*server) (*grpc.ClientConn, *manual.Resolver) {
	tb.Helper()
	r := manual.NewBuilderWithScheme("test")
	r.InitialState(state(servers...))
	cc, err := grpc.NewClient("test:///", grpc.WithResolvers(r), grpc.WithDefaultServiceConfig(config),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := cc.Close(); err != nil {
			tb.Error(err)
		}
	})
	return cc, r
}

func state(servers ...*server) resolver.State {
	var s resolver.State
	for _, srv := range servers {
		s.Endpoints = append(s.Endpoints, resolver.Endpoint{Addresses: []resolver.Address{{Addr: srv.addr}}})
	}
	return s
}

// call makes one RPC and returns the address of the server that answered.
func call(ctx context.Context, cc *grpc.ClientConn, opts ...grpc.CallOption) (string, error) {
	var p peer.Peer
	_, err := healthpb.NewHealthClient(cc).Check(ctx, &healthpb.HealthCheckRequest{}, append(opts, grpc.Peer(&p))...)
	if err != nil {
		return "", err
	}
	return p.Addr.String(), nil
}

// awaitTurn calls until one turn over the servers reaches each once.
func awaitTurn(tb testing.TB, cc *grpc.ClientConn, servers ...*server) {
	tb.Helper()
	want := map[string]int{}
	for _, s := range servers {
		want[s.addr] = 1
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		got := map[string]int{}
		for range servers {
			addr, err := call(tb.Context(), cc, grpc.WaitForReady(true))
			if err != nil {
				tb.Fatal(err)
			}
			got[addr]++
		}
		if maps.Equal(got, want) {
			return
		}
		if time.Now().After(deadline) {
			tb.Fatalf("RPCs of one turn = %v, want %v", got, want)
		}
	}
}

func TestReplacesTheBuiltin(t *testing.T) {
	ours, err := registry.Default.Balancer(roundrobin.Name)
	if err != nil {
		t.Fatal(err)
	}
	if got := balancer.Get(roundrobin.Name); got != ours {
		t.Errorf("grpc's registry has a %T, want what this package registered", got)
	}
	if _, ok := ours.(balancer.ConfigParser); ok {
		t.Error("the builder parses configs: grpc-go's accepts any, even a number")
	}
	if old, ok := registry.Default.ReplacedBalancer(roundrobin.Name); !ok || old == ours {
		t.Errorf("ReplacedBalancer() = %v, %v, want grpc-go's own", old, ok)
	}
	i := slices.IndexFunc(registry.Default.Plugins(), func(p registry.Plugin) bool { return p.Name == roundrobin.Name })
	if i < 0 {
		t.Fatal("the registry does not list the plugin")
	}
	if got, want := registry.Default.Plugins()[i].Replaced, "google.golang.org/grpc/balancer/roundrobin"; got != want {
		t.Errorf("Replaced = %q, want %q", got, want)
	}
}

func TestRPCsGoToEveryServerInTurn(t *testing.T) {
	a, b, c := start(t, ""), start(t, ""), start(t, "")
	cc, r := dial(t, a, b, c)
	awaitTurn(t, cc, a, b, c)
	counts := map[string]int{}
	for range 300 {
		addr, err := call(t.Context(), cc)
		if err != nil {
			t.Fatal(err)
		}
		counts[addr]++
	}
	for _, s := range []*server{a, b, c} {
		if counts[s.addr] != 100 {
			t.Errorf("RPCs = %v, want 100 each", counts)
		}
	}
	if err := r.CC().UpdateState(state(a, b)); err != nil {
		t.Fatal(err)
	}
	awaitTurn(t, cc, a, b)
}

// One server loses its connection after each RPC that it serves, and is back
// before the next. The others get one RPC in each turn of at most three.
func TestAServerThatFlapsStarvesNobody(t *testing.T) {
	for _, flappers := range []int{1, 2} {
		t.Run(fmt.Sprint(flappers, " of 3"), func(t *testing.T) {
			servers := []*server{start(t, ""), start(t, ""), start(t, "")}
			cc, _ := dial(t, servers...)
			awaitTurn(t, cc, servers...)
			const turns = 100
			counts := map[string]int{}
			for range turns * len(servers) {
				addr, err := call(t.Context(), cc)
				if err != nil {
					t.Fatal(err)
				}
				counts[addr]++
				for _, s := range servers[:flappers] {
					if s.addr == addr {
						s.drop(t)
					}
				}
			}
			for i, s := range servers {
				// An RPC that still met the lost connection was picked twice.
				if got := counts[s.addr]; got < turns*9/10 {
					t.Errorf("RPCs of server %d = %d of %v, want at least %d", i, got, counts, turns*9/10)
				}
			}
		})
	}
}

func TestServerComesBack(t *testing.T) {
	a, b := start(t, ""), start(t, "")
	cc, _ := dial(t, a, b)
	awaitTurn(t, cc, a, b)
	b.Stop()
	awaitTurn(t, cc, a)
	b = start(t, b.addr)
	awaitTurn(t, cc, a, b)
}

// An RPC whose pick has no transport any more waits in grpc for the next
// UpdateState. It has to come from the loss itself: nothing else will happen.
func TestRPCsPickedForADyingConnectionGoOn(t *testing.T) {
	a, b := start(t, ""), start(t, "")
	cc, _ := dial(t, a, b)
	awaitTurn(t, cc, a, b)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				// Wait-for-ready: an RPC that was never sent is sent again.
				_, err := call(ctx, cc, grpc.WaitForReady(true))
				cancel()
				if errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
					t.Errorf("an RPC was forgotten: %v", err)
					return
				}
			}
		})
	}
	b.Stop()
	wg.Wait()
	awaitTurn(t, cc, a)
}

func TestAllServersDown(t *testing.T) {
	a := &server{addr: held.Refusing(t)}
	cc, _ := dial(t, a)
	_, err := call(t.Context(), cc)
	if err == nil {
		t.Fatal("an RPC succeeded without a server")
	}
	if got := err.Error(); !strings.Contains(got, a.addr) || !strings.Contains(got, "connection refused") {
		t.Errorf("RPC error = %q, want the server's address and the cause", got)
	}
	if got := cc.GetState(); got != connectivity.TransientFailure && got != connectivity.Connecting {
		t.Errorf("state = %v, want TRANSIENT_FAILURE", got)
	}
}

func TestAnyConfigIsAccepted(t *testing.T) {
	a := start(t, "")
	for _, js := range []string{`{}`, `123`, `null`, `{"unknown":[1]}`} {
		t.Run(js, func(t *testing.T) {
			cc, r := dial(t, a)
			s := state(a)
			s.ServiceConfig = parse(t, r, `{"loadBalancingConfig":[{"round_robin":`+js+`}]}`, cc)
			if err := r.CC().UpdateState(s); err != nil {
				t.Fatal(err)
			}
			awaitTurn(t, cc, a)
		})
	}
}

// parse connects the channel, which builds its resolver, and parses a config.
func parse(t *testing.T, r *manual.Resolver, js string, cc *grpc.ClientConn) *serviceconfig.ParseResult {
	t.Helper()
	cc.Connect()
	res := r.CC().ParseServiceConfig(js)
	if res.Err != nil {
		t.Fatalf("ParseServiceConfig(%s) = %v, want it accepted as grpc-go does", js, res.Err)
	}
	return res
}
