package e2e

import (
	"context"
	"maps"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/peer"

	_ "github.com/evenkeel-grpc/evenkeel/balancers/roundrobin"
	"github.com/evenkeel-grpc/evenkeel/internal/held"
)

// backend is a gRPC server that counts its connections. The method that the
// tests call is Check of the health service.
type backend struct {
	addr     string
	server   *grpc.Server
	health   *health.Server
	accepted atomic.Int64
}

// startBackend starts a backend whose address refuses once the backend is stopped.
func startBackend(tb testing.TB) *backend {
	tb.Helper()
	return startBackendAt(tb, held.Addr(tb))
}

func startBackendAt(tb testing.TB, addr string, opts ...grpc.ServerOption) *backend {
	tb.Helper()
	var lc net.ListenConfig
	lis, err := lc.Listen(tb.Context(), "tcp", addr)
	if err != nil {
		tb.Fatal(err)
	}
	b := &backend{addr: lis.Addr().String(), server: grpc.NewServer(opts...), health: health.NewServer()}
	healthpb.RegisterHealthServer(b.server, b.health)
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = b.server.Serve(countingListener{lis, &b.accepted})
	}()
	tb.Cleanup(func() {
		b.server.Stop()
		<-served
	})
	return b
}

type countingListener struct {
	net.Listener
	accepted *atomic.Int64
}

func (l countingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		l.accepted.Add(1)
	}
	return c, err
}

const roundRobin = `{"loadBalancingConfig":[{"round_robin":{}}]}`

// dial returns a channel that spreads its RPCs.
func dial(tb testing.TB, target string, opts ...grpc.DialOption) *grpc.ClientConn {
	tb.Helper()
	return dialPlain(tb, target, append(opts, grpc.WithDefaultServiceConfig(roundRobin))...)
}

// dialPlain returns a channel that does what it is told by others.
func dialPlain(tb testing.TB, target string, opts ...grpc.DialOption) *grpc.ClientConn {
	tb.Helper()
	cc, err := grpc.NewClient(target, append(opts, grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		tb.Fatalf("dial %s: %v", target, err)
	}
	tb.Cleanup(func() { _ = cc.Close() })
	return cc
}

// call makes one RPC and returns the address of the backend that answered.
func call(ctx context.Context, cc *grpc.ClientConn, opts ...grpc.CallOption) (string, error) {
	var p peer.Peer
	opts = append(opts, grpc.Peer(&p))
	if _, err := healthpb.NewHealthClient(cc).Check(ctx, &healthpb.HealthCheckRequest{}, opts...); err != nil {
		return "", err
	}
	return p.Addr.String(), nil
}

// mustCall fails the test if the RPC fails, or waits more than 10 s for its turn.
func mustCall(tb testing.TB, cc *grpc.ClientConn) string {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 10*time.Second)
	defer cancel()
	addr, err := call(ctx, cc, grpc.WaitForReady(true))
	if err != nil {
		tb.Fatalf("RPC: %v", err)
	}
	return addr
}

// waitForBackends makes RPCs, of which none may fail, until they go to the given
// backends and to no other.
func waitForBackends(tb testing.TB, cc *grpc.ClientConn, want ...*backend) {
	tb.Helper()
	addrs := make(map[string]bool)
	for _, b := range want {
		addrs[b.addr] = true
	}
	var got map[string]bool
	for began := time.Now(); time.Since(began) < 10*time.Second; {
		got = make(map[string]bool)
		for range 2 * len(want) {
			got[mustCall(tb, cc)] = true
		}
		if maps.Equal(got, addrs) {
			return
		}
	}
	tb.Fatalf("after 10 s RPCs go to %v, want %v",
		slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(addrs)))
}

// waitForOne makes RPCs, of which none may fail, until ten in a row go to the same
// backend.
func waitForOne(tb testing.TB, cc *grpc.ClientConn) {
	tb.Helper()
	same, last := 0, ""
	eventually(tb, "all RPCs go to one backend", func() bool {
		if addr := mustCall(tb, cc); addr == last {
			same++
		} else {
			same, last = 0, addr
		}
		return same == 10
	})
}

// eventually waits until ok returns true.
func eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	for began := time.Now(); time.Since(began) < 10*time.Second; time.Sleep(time.Millisecond) {
		if ok() {
			return
		}
	}
	tb.Fatalf("not within 10 s: %s", what)
}
