package etcd

import (
	"context"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
)

// newClient returns a client for the hosts of a target. It does no I/O.
func newClient(ctx context.Context, hosts []string) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{
		Context:   ctx,
		Endpoints: hosts,
		Logger:    zap.NewNop(),

		// A connection that died in silence is noticed after 15 s at most. etcd
		// closes the connections of clients that ask more often than every 5 s.
		DialKeepAliveTime:    10 * time.Second,
		DialKeepAliveTimeout: 5 * time.Second,

		// The watcher repeats what failed. Repeats in here would only hide why.
		MaxUnaryRetries: 1,

		DialOptions: []grpc.DialOption{grpc.WithConnectParams(grpc.ConnectParams{
			Backoff: backoff.Config{
				BaseDelay:  100 * time.Millisecond,
				Multiplier: 1.6,
				Jitter:     0.2,
				MaxDelay:   time.Second,
			},
			MinConnectTimeout: 5 * time.Second,
		})},
	})
}
