package etcd

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/status"
)

// follow publishes what changes. It returns when it may have missed something;
// what it has seen until then is published.
func (r *run) follow(parent context.Context) error {
	ctx, cancel := context.WithCancelCause(clientv3.WithRequireLeader(parent))
	var watchdog sync.WaitGroup
	defer watchdog.Wait()
	defer cancel(nil)
	watchdog.Go(func() { watchConn(ctx, r.client.ActiveConnection(), cancel) })

	opening := time.AfterFunc(r.timeout, func() { cancel(context.DeadlineExceeded) })
	w := r.watch(ctx)
	if opening.Stop() {
		r.failures = 0
	}
	err := r.receive(ctx, w)
	if r.pace.late && parent.Err() == nil {
		r.send()
	}
	return err
}

// watches are the channels of the watches that are open.
type watches struct {
	endpoints clientv3.WatchChan
	config    clientv3.WatchChan // nil if there is no key to watch
}

func (r *run) watch(ctx context.Context) watches {
	open := func(key string, revision int64, opts ...clientv3.OpOption) clientv3.WatchChan {
		opts = append(opts, clientv3.WithRev(revision+1), clientv3.WithProgressNotify())
		return r.client.Watch(ctx, key, opts...)
	}
	w := watches{endpoints: open(r.place.prefix, r.mirror.revision, clientv3.WithPrefix())}
	if r.place.configKey != "" {
		w.config = open(r.place.configKey, r.mirror.configRevision)
	}
	return w
}

// receive applies and publishes what the watches tell.
func (r *run) receive(ctx context.Context, w watches) error {
	for {
		var changed bool
		var err error
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case resp, ok := <-w.endpoints:
			changed, err = drain(ctx, w.endpoints, resp, ok, func(resp clientv3.WatchResponse) bool {
				return r.mirror.advance(resp, r.place.configKey)
			})
		case resp, ok := <-w.config:
			changed, err = drain(ctx, w.config, resp, ok, r.mirror.advanceConfig)
		case <-r.pace.due:
			r.send()
			continue
		}
		if changed && r.pace.changed(time.Now()) {
			r.send()
		}
		if err != nil {
			return err
		}
	}
}

// drain applies a response, and what has piled up behind it.
func drain(ctx context.Context, more clientv3.WatchChan, resp clientv3.WatchResponse, ok bool, apply func(clientv3.WatchResponse) bool) (changed bool, err error) {
	for {
		switch {
		case ctx.Err() != nil:
			return changed, context.Cause(ctx)
		case !ok:
			return changed, errors.New("the watch was closed")
		case resp.Err() != nil:
			return changed, resp.Err()
		}
		changed = apply(resp) || changed
		select {
		case resp, ok = <-more:
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
