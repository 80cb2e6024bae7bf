package etcd

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/attributes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/evenkeel-grpc/evenkeel/resolvers/internal/watch"
)

const (
	// minTimeout and maxTimeout bound each step of reading the prefix. The
	// timeout doubles on each failure in a row, for a prefix that is large.
	minTimeout = time.Second
	maxTimeout = 16 * time.Second

	// signTimeout is when RPCs that wait for the first list hear that there is no
	// connection yet. Few have a deadline before it, few connections take longer.
	signTimeout = 185 * time.Millisecond

	// maxBackoff is short because a client that cannot reach etcd costs etcd
	// nothing, and one that can should be up to date at once.
	maxBackoff = time.Second
)

var (
	_ watch.Source = (*source)(nil)
	_ watch.Herald = (*source)(nil)
)

// source follows one key prefix, and the key of a service config if there is one.
type source struct {
	// Set by newSource, then read-only.
	place  place
	client *clientv3.Client // the program's; nil if hosts say where to connect

	connected atomic.Bool // whether there ever was a connection

	// Owned by Run.
	failures int // runs in a row that did not get as far as a watch
	mirror   mirror
	pace     pace
}

func newSource(p place, client *clientv3.Client) *source {
	return &source{
		place:  p,
		client: client,
		mirror: mirror{table: newTable(reader{
			format: p.format, prefix: p.prefix, attrs: make(map[string]*attributes.Attributes),
		})},
	}
}

func (s *source) Run(ctx context.Context, publish func(watch.Snapshot)) error {
	timeout := min(minTimeout<<min(s.failures, 10), maxTimeout)
	s.failures++

	client, release, err := s.dial(ctx, timeout)
	if err != nil {
		return err
	}
	defer release()
	if err := s.connect(ctx, client.ActiveConnection(), timeout); err != nil {
		return err
	}
	s.connected.Store(true)
	r := &run{source: s, client: client, timeout: timeout, publish: publish}
	return r.sync(ctx)
}

// Early gives RPCs with a short deadline a cause if etcd is silent.
func (s *source) Early(ctx context.Context) error {
	timer := time.NewTimer(signTimeout)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
	}
	if s.connected.Load() {
		return nil
	}
	return errors.New("connecting to etcd: no answer yet")
}

// dial returns the client to use, and a function to call when it is not needed
// any more. Files are read again each time, so that a password or a certificate
// that was replaced is used from the next connection on.
func (s *source) dial(ctx context.Context, timeout time.Duration) (*clientv3.Client, func(), error) {
	if s.client != nil {
		return s.client, func() {}, nil
	}
	id, err := s.place.load()
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	client, release, err := clients.acquire(ctx, id)
	if err != nil {
		return nil, nil, fmt.Errorf("connecting to etcd: %w", reason(err))
	}
	return client, release, nil
}

// connect waits until there is a connection to etcd. Without it a request would
// wait in silence until its deadline. The first attempt fails as soon as there
// is something to tell; later ones, when the channel knows that already, go on
// trying until the timeout.
func (s *source) connect(ctx context.Context, conn *grpc.ClientConn, timeout time.Duration) error {
	if conn == nil || conn.GetState() == connectivity.Ready {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	_, err := healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{},
		grpc.WaitForReady(s.failures > 1))
	switch status.Code(err) {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled:
		return fmt.Errorf("connecting to etcd: %w", reason(err))
	default:
		return nil // whatever it answers, it is there
	}
}

// run is one run of a source, with what it needs.
type run struct {
	*source
	client  *clientv3.Client
	timeout time.Duration
	publish func(watch.Snapshot)
}

// sync brings the mirror up to date and keeps it there until it cannot.
func (r *run) sync(ctx context.Context) error {
	listed, err := r.catchUp(ctx)
	if err != nil {
		return err
	}
	for {
		r.send()
		err := r.follow(ctx)
		if listed || !errors.Is(err, rpctypes.ErrCompacted) {
			return watching(err)
		}
		// What has happened in between is forgotten, so there is no way but to
		// read everything again; there is no reason to wait or to complain.
		if err := r.list(ctx); err != nil {
			return err
		}
		listed = true
	}
}

func watching(err error) error { return fmt.Errorf("watching: %w", reason(err)) }

// catchUp lists the keys unless a watch can go on where the last one ended. It
// tells whether it has listed them.
func (r *run) catchUp(ctx context.Context) (listed bool, err error) {
	if r.mirror.listed() {
		same, err := r.sameHistory(ctx)
		if err != nil {
			return false, fmt.Errorf("asking for the revision: %w", reason(err))
		}
		if same {
			return false, nil
		}
	}
	return true, r.list(ctx)
}

// sameHistory tells whether the cluster is the one that the mirror is of, and has
// not gone back in time. One that was set up anew or restored from a backup would
// let a watch wait for a revision that comes much later, if ever.
func (r *run) sameHistory(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(clientv3.WithRequireLeader(ctx), r.timeout)
	defer cancel()
	resp, err := r.client.Get(ctx, r.place.prefix, clientv3.WithKeysOnly())
	if err != nil {
		return false, err
	}
	return r.mirror.precedes(resp.Header), nil
}

// send publishes what the mirror shows.
func (r *run) send() {
	r.pace.sent(time.Now())
	r.publish(r.mirror.snapshot())
}
