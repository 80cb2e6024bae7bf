package etcd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
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
)

var _ watch.Source = (*source)(nil)

// source follows one key prefix.
type source struct {
	// Set by Build, then read-only.
	hosts  []string
	client *clientv3.Client // the user's; nil if hosts say where to connect
	prefix string

	// Owned by Run.
	failures int // runs in a row that did not get as far as a watch
	table    table
}

func (s *source) Run(ctx context.Context, publish func(watch.Snapshot)) error {
	timeout := min(minTimeout<<min(s.failures, 10), maxTimeout)
	s.failures++

	client, done, err := s.dial(ctx)
	if err != nil {
		return err
	}
	defer done()
	if err := s.connect(ctx, client.ActiveConnection(), timeout); err != nil {
		return err
	}
	revision, err := s.list(ctx, client, timeout)
	if err != nil {
		return err
	}
	publish(s.table.snapshot())
	return s.follow(ctx, client, revision+1, timeout, publish)
}

// dial returns the client to use, and a function to call when it is not needed
// any more. It does no I/O.
func (s *source) dial(ctx context.Context) (*clientv3.Client, func(), error) {
	if s.client != nil {
		return s.client, func() {}, nil
	}
	client, err := newClient(ctx, s.hosts)
	if err != nil {
		return nil, nil, fmt.Errorf("client for %s: %w", strings.Join(s.hosts, ","), err)
	}
	return client, func() { _ = client.Close() }, nil
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

// list reads the whole prefix and returns the revision at which that was so.
func (s *source) list(ctx context.Context, client *clientv3.Client, timeout time.Duration) (revision int64, err error) {
	ctx, cancel := context.WithTimeout(clientv3.WithRequireLeader(ctx), timeout)
	defer cancel()
	resp, err := client.Get(ctx, s.prefix, clientv3.WithPrefix())
	if err != nil {
		return 0, fmt.Errorf("listing: %w", reason(err))
	}
	s.table.reset(resp.Kvs)
	return resp.Header.Revision, nil
}

// follow publishes what changes from the given revision on. It returns when it
// may have missed something.
func (s *source) follow(ctx context.Context, client *clientv3.Client, revision int64, timeout time.Duration, publish func(watch.Snapshot)) error {
	ctx, cancel := context.WithCancelCause(clientv3.WithRequireLeader(ctx))
	var watchdog sync.WaitGroup
	defer watchdog.Wait()
	defer cancel(nil)
	watchdog.Go(func() { watchConn(ctx, client.ActiveConnection(), cancel) })

	opening := time.AfterFunc(timeout, func() { cancel(context.DeadlineExceeded) })
	responses := client.Watch(ctx, s.prefix, clientv3.WithPrefix(), clientv3.WithRev(revision), clientv3.WithProgressNotify())
	if opening.Stop() {
		s.failures = 0
	}
	for {
		changed, err := s.next(ctx, responses)
		if err != nil {
			return fmt.Errorf("watching: %w", reason(err))
		}
		if changed {
			publish(s.table.snapshot())
		}
	}
}

// next waits for a response and applies it, and what has piled up behind it.
func (s *source) next(ctx context.Context, responses clientv3.WatchChan) (changed bool, err error) {
	var resp clientv3.WatchResponse
	var ok bool
	select {
	case <-ctx.Done():
	case resp, ok = <-responses:
	}
	for {
		switch {
		case ctx.Err() != nil:
			return changed, context.Cause(ctx)
		case !ok:
			return changed, errors.New("the watch was closed")
		case resp.Err() != nil:
			return changed, resp.Err()
		}
		changed = s.table.apply(resp.Events) || changed
		select {
		case resp, ok = <-responses:
		default:
			return changed, nil
		}
	}
}

// watchConn ends a watch whose connection has failed. The etcd client would
// reconnect and resume by itself, but tell nobody how long that takes.
func watchConn(ctx context.Context, conn *grpc.ClientConn, end context.CancelCauseFunc) {
	if conn == nil {
		return
	}
	for {
		state := conn.GetState()
		if state == connectivity.TransientFailure || state == connectivity.Shutdown {
			end(errors.New("lost the connection"))
			return
		}
		if !conn.WaitForStateChange(ctx, state) {
			return
		}
	}
}

// reason is err without what means nothing to whoever calls an RPC of another
// service, or would make one cause look like several.
func reason(err error) error {
	// What grpc puts before the error of the last attempt when time is up.
	const latest = "latest balancer error: "
	st, ok := status.FromError(err)
	switch {
	case ok && strings.HasPrefix(st.Message(), latest):
		return errors.New(strings.TrimPrefix(st.Message(), latest))
	case errors.Is(err, context.DeadlineExceeded), st.Code() == codes.DeadlineExceeded:
		return errors.New("no answer in time")
	case ok:
		return errors.New(st.Message())
	default:
		return err
	}
}
