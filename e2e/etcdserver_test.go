package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// etcdServer is a cluster of one member.
type etcdServer struct {
	*etcdCluster
	addr string // host:port for clients
}

// newEtcd returns an etcd that has not been started.
func newEtcd(tb testing.TB) *etcdServer {
	tb.Helper()
	c := newEtcdCluster(tb, 1)
	return &etcdServer{c, c.members[0].addr}
}

func startEtcd(tb testing.TB) *etcdServer {
	tb.Helper()
	s := newEtcd(tb)
	s.start(tb)
	return s
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
