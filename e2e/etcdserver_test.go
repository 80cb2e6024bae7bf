package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
)

// etcdServer is a cluster of one member that can be stopped and started again
// with the same address and data.
type etcdServer struct {
	dir  string
	addr string // host:port for clients
	peer string // host:port for other members
	etcd *embed.Etcd
}

// newEtcd returns an etcd that has not been started.
func newEtcd(tb testing.TB) *etcdServer {
	tb.Helper()
	s := &etcdServer{dir: tb.TempDir(), addr: freeAddr(tb), peer: freeAddr(tb)}
	tb.Cleanup(s.stop)
	return s
}

func startEtcd(tb testing.TB) *etcdServer {
	tb.Helper()
	s := newEtcd(tb)
	s.start(tb)
	return s
}

func (s *etcdServer) start(tb testing.TB) {
	tb.Helper()
	cfg := embed.NewConfig()
	cfg.Dir = s.dir
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	cfg.ListenClientUrls = []url.URL{{Scheme: "http", Host: s.addr}}
	cfg.AdvertiseClientUrls = cfg.ListenClientUrls
	cfg.ListenPeerUrls = []url.URL{{Scheme: "http", Host: s.peer}}
	cfg.AdvertisePeerUrls = cfg.ListenPeerUrls
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)
	cfg.TickMs, cfg.ElectionMs = 10, 100 // leases of 1 s, leader within 0.1 s
	cfg.UnsafeNoFsync = true

	e, err := embed.StartEtcd(cfg)
	if err != nil {
		tb.Fatalf("start etcd on %s: %v", s.addr, err)
	}
	s.etcd = e
	select {
	case <-e.Server.ReadyNotify():
	case <-time.After(10 * time.Second):
		tb.Fatal("etcd is not ready after 10 s")
	}
}

func (s *etcdServer) stop() {
	if s.etcd != nil {
		s.etcd.Close()
		s.etcd = nil
	}
}

// client returns a client that is closed before the server is stopped.
func (s *etcdServer) client(tb testing.TB) *clientv3.Client {
	tb.Helper()
	c, err := clientv3.New(clientv3.Config{
		Endpoints: []string{s.addr},
		Logger:    zap.NewNop(),
		DialOptions: []grpc.DialOption{grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 10 * time.Millisecond, Multiplier: 1.6, MaxDelay: 100 * time.Millisecond},
			MinConnectTimeout: time.Second,
		})},
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.Close() })
	return c
}

// put writes an entry as the official package does.
func put(tb testing.TB, c *clientv3.Client, key, addr string, opts ...clientv3.OpOption) {
	tb.Helper()
	putValue(tb, c, key, fmt.Sprintf(`{"Op":0,"Addr":%q,"Metadata":null}`, addr), opts...)
}

func putValue(tb testing.TB, c *clientv3.Client, key, value string, opts ...clientv3.OpOption) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 10*time.Second)
	defer cancel()
	if _, err := c.Put(ctx, key, value, opts...); err != nil {
		tb.Fatalf("put %s: %v", key, err)
	}
}

func remove(tb testing.TB, c *clientv3.Client, key string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 10*time.Second)
	defer cancel()
	if _, err := c.Delete(ctx, key); err != nil {
		tb.Fatalf("delete %s: %v", key, err)
	}
}

// freeAddr returns a loopback address that nobody listens on. Its port is below
// those that Linux gives to outgoing connections: a client that dials a port
// above until a server comes may end up connected to itself.
func freeAddr(tb testing.TB) string {
	tb.Helper()
	for range 100 {
		addr := fmt.Sprintf("127.0.0.1:%d", 20000+rand.IntN(12000))
		var lc net.ListenConfig
		if lis, err := lc.Listen(tb.Context(), "tcp", addr); err == nil {
			_ = lis.Close()
			return addr
		}
	}
	tb.Fatal("no free port found")
	return ""
}
