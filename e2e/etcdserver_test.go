package e2e

import (
	"context"
	"fmt"
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
	write(tb, "put "+key, func(ctx context.Context) error {
		_, err := c.Put(ctx, key, value, opts...)
		return err
	})
}

func remove(tb testing.TB, c *clientv3.Client, key string) {
	tb.Helper()
	write(tb, "delete "+key, func(ctx context.Context) error {
		_, err := c.Delete(ctx, key)
		return err
	})
}

// write writes until etcd takes it: a cluster that is electing its leader answers
// that the request timed out, and writing the same again does no harm.
func write(tb testing.TB, what string, op func(context.Context) error) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 30*time.Second)
	defer cancel()
	err := op(ctx)
	for err != nil && ctx.Err() == nil {
		tb.Logf("%s: %v", what, err)
		time.Sleep(10 * time.Millisecond)
		err = op(ctx)
	}
	if err != nil {
		tb.Fatalf("%s: %v", what, err)
	}
}
