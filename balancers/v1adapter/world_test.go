package v1adapter_test

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"sync"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/test/bufconn"

	"github.com/evenkeel-grpc/evenkeel/balancers/v1adapter"
)

// world has real servers and channels over bufconn, so that a bubble of
// synctest can hold it: then Wait means that everything has settled, and a
// goroutine that stays fails the test.
type world struct {
	t *testing.T

	mu      sync.Mutex // guards the fields below
	servers map[string]*server
	dials   map[string]int
}

// server answers health checks, and says which it is in a header. A Watch stays
// open until release is closed.
type server struct {
	healthpb.UnimplementedHealthServer
	name    string
	grpc    *grpc.Server
	lis     *bufconn.Listener
	release chan struct{}
}

func newWorld(t *testing.T, names ...string) *world {
	t.Helper()
	w := &world{t: t, servers: map[string]*server{}, dials: map[string]int{}}
	for _, n := range names {
		w.start(n)
	}
	return w
}

// start starts a server, or starts it again.
func (w *world) start(name string) *server {
	s := &server{name: name, grpc: grpc.NewServer(), lis: bufconn.Listen(1 << 16), release: make(chan struct{})}
	healthpb.RegisterHealthServer(s.grpc, s)
	go func() { _ = s.grpc.Serve(s.lis) }()
	w.t.Cleanup(s.grpc.Stop)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.servers[name] = s
	return s
}

// stop stops a server, after which connections to it are refused.
func (w *world) stop(name string) {
	w.mu.Lock()
	s := w.servers[name]
	delete(w.servers, name)
	w.mu.Unlock()
	s.grpc.Stop()
	synctest.Wait()
}

func (w *world) dialContext(ctx context.Context, addr string) (net.Conn, error) {
	w.mu.Lock()
	s := w.servers[addr]
	w.dials[addr]++
	w.mu.Unlock()
	if s == nil {
		return nil, fmt.Errorf("nobody listens on %q", addr)
	}
	return s.lis.DialContext(ctx)
}

// dialed returns how often an address was dialed.
func (w *world) dialed(addr string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.dials[addr]
}

func (s *server) Check(ctx context.Context, _ *healthpb.HealthCheckRequest) (*healthpb.HealthCheckResponse, error) {
	return &healthpb.HealthCheckResponse{}, grpc.SetHeader(ctx, metadata.Pairs("server", s.name))
}

func (s *server) Watch(_ *healthpb.HealthCheckRequest, stream healthpb.Health_WatchServer) error {
	if err := stream.Send(&healthpb.HealthCheckResponse{}); err != nil {
		return err
	}
	select {
	case <-s.release:
		return nil
	case <-stream.Context().Done():
		return stream.Context().Err()
	}
}

// dial returns a channel to passthrough:///target, connected as far as it gets.
func (w *world) dial(opts ...grpc.DialOption) *grpc.ClientConn {
	w.t.Helper()
	cc, err := grpc.NewClient("passthrough:///target", append(w.options(), opts...)...)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.connect(cc)
}

func (w *world) options() []grpc.DialOption {
	return []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithContextDialer(w.dialContext)}
}

func (w *world) connect(cc *grpc.ClientConn) *grpc.ClientConn {
	w.t.Cleanup(func() { _ = cc.Close() }) // Some tests close it themselves.
	cc.Connect()
	synctest.Wait()
	return cc
}

// call makes one RPC and returns the name of the server that answered.
func call(ctx context.Context, cc *grpc.ClientConn, opts ...grpc.CallOption) (string, error) {
	var header metadata.MD
	_, err := healthpb.NewHealthClient(cc).Check(ctx, &healthpb.HealthCheckRequest{}, append(opts, grpc.Header(&header))...)
	if err != nil {
		return "", err
	}
	return header.Get("server")[0], nil
}

// reply is the result of a call.
type reply struct {
	server string
	err    error
}

// goCall makes one RPC in the background.
func goCall(ctx context.Context, cc *grpc.ClientConn, opts ...grpc.CallOption) <-chan reply {
	c := make(chan reply, 1)
	go func() {
		s, err := call(ctx, cc, opts...)
		c <- reply{s, err}
	}()
	return c
}

// pending fails the test if an RPC has ended.
func pending(t *testing.T, c <-chan reply) {
	t.Helper()
	synctest.Wait()
	select {
	case r := <-c:
		t.Fatalf("RPC ended with %q, %v, want it to wait", r.server, r.err)
	default:
	}
}

// ended returns the result of an RPC that has to have ended.
func ended(t *testing.T, c <-chan reply) reply {
	t.Helper()
	synctest.Wait()
	select {
	case r := <-c:
		return r
	default:
		t.Fatal("RPC has not ended")
		return reply{}
	}
}

// addrs makes addresses without Metadata.
func addrs(names ...string) []v1adapter.Address {
	list := []v1adapter.Address{}
	for _, n := range names {
		list = append(list, v1adapter.Address{Addr: n})
	}
	return list
}

func target(tb testing.TB, s string) *url.URL {
	tb.Helper()
	u, err := url.Parse(s)
	if err != nil {
		tb.Fatal(err)
	}
	return u
}
