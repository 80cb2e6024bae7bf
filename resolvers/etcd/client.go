package etcd

import (
	"context"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
)

// newClient returns a client for the hosts of a target. It connects only if it
// has to log in; it gives up when ctx is done or the dial timeout is over.
func newClient(ctx context.Context, id identity) (*clientv3.Client, error) {
	tlsConfig, err := id.tlsConfig()
	if err != nil {
		return nil, err
	}
	return clientv3.New(clientv3.Config{
		Context:     ctx,
		Endpoints:   strings.Split(id.hosts, ","),
		TLS:         tlsConfig,
		Username:    id.user,
		Password:    id.password,
		DialTimeout: id.dialTimeout,
		Logger:      zap.NewNop(),

		// A connection that died in silence is noticed after 15 s at most. etcd
		// closes the connections of clients that ask more often than every 5 s.
		DialKeepAliveTime:    10 * time.Second,
		DialKeepAliveTimeout: 5 * time.Second,

		// The watcher repeats what failed. Repeats in here would only hide why.
		// The second attempt is for a token that has expired.
		MaxUnaryRetries: 2,

		DialOptions: []grpc.DialOption{grpc.WithConnectParams(grpc.ConnectParams{
			Backoff: backoff.Config{
				BaseDelay:  100 * time.Millisecond,
				Multiplier: 1.6,
				Jitter:     0.2,
				MaxDelay:   time.Second,
			},
			MinConnectTimeout: id.dialTimeout,
		})},
	})
}
