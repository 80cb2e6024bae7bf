package etcd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/connectivity"

	"github.com/evenkeel-grpc/evenkeel/resolvers/internal/register"
)

// goodbye is how long etcd may take to answer when the context is done.
const goodbye = time.Second

var (
	errLeaseLost = errors.New("the lease was lost: etcd has not confirmed it for its TTL, or has revoked it")
	errDeleted   = errors.New("somebody deleted the key")
	errReplaced  = errors.New("somebody else wrote the key")
	errUnwatched = errors.New("the watch of the key ended")
)

// keeper is what the goroutine of a registrar does.
type keeper struct {
	*book
	client  *clientv3.Client
	lessor  clientv3.Lease // the registrar's own
	ttl     int64          // seconds
	timeout time.Duration  // of a request

	lease    clientv3.LeaseID // 0 if there is none
	revision int64            // of the last put
}

func newKeeper(b *book, client *clientv3.Client, lessor clientv3.Lease, ttl time.Duration) *keeper {
	return &keeper{
		book:    b,
		client:  client,
		lessor:  lessor,
		ttl:     seconds(ttl),
		timeout: min(max(ttl/3, time.Second), 5*time.Second),
	}
}

// Close only ends goroutines.
func (k *keeper) Close() { _ = k.lessor.Close() }

// Attempt keeps the entry until something happens to it, or removes it.
func (k *keeper) Attempt(ctx context.Context) error {
	if _, _, draining := k.Wanted(); !draining {
		if err := k.keep(ctx); err != nil {
			return err
		}
	}
	k.Note(func(s *known) { *s = known{State: register.Draining, Detail: k.lease} })
	return k.remove(ctx)
}

// Failed returns the lease that the entry may still be under.
func (k *keeper) Failed(err error) clientv3.LeaseID {
	logger.Warningf("registration of %q: %v", k.Name(), err)
	return k.lease
}

// keep writes the entry and returns an error when it may not be there any more,
// or nil if it is not wanted any more.
func (k *keeper) keep(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := k.write(ctx); err != nil {
		return err
	}
	alive, err := k.lessor.KeepAlive(ctx, k.lease)
	if err != nil {
		return fmt.Errorf("keeping the lease alive: %w", reason(err))
	}
	opening := time.AfterFunc(k.timeout, cancel)
	events := k.client.Watch(clientv3.WithRequireLeader(ctx), k.Name(), clientv3.WithRev(k.revision+1))
	if !opening.Stop() {
		return errors.New("watching the key: no answer in time")
	}
	return k.guard(ctx, alive, events)
}

// guard returns when something has happened to the entry, or nil if it is not
// wanted any more. Until then it writes what is wanted.
func (k *keeper) guard(ctx context.Context, alive <-chan *clientv3.LeaseKeepAliveResponse, events clientv3.WatchChan) error {
	// The client has a deadline of its own, which may be later than the TTL.
	ttl := time.Duration(k.ttl) * time.Second
	expiry := time.NewTimer(ttl)
	defer expiry.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-k.Nudge():
			if _, version, draining := k.Wanted(); draining {
				return nil
			} else if version == k.Written() {
				continue
			}
			if err := k.write(ctx); err != nil {
				return err
			}
		case _, ok := <-alive:
			if !ok {
				return errLeaseLost
			}
			expiry.Reset(ttl)
		case <-expiry.C:
			return errLeaseLost
		case resp, ok := <-events:
			if err := k.check(resp, ok); err != nil {
				return err
			}
		}
	}
}

// write puts what is wanted into the key, under a lease that is there.
func (k *keeper) write(ctx context.Context) error {
	w, version, _ := k.Wanted()
	had := k.lease
	err := k.put(ctx, w.value)
	if errors.Is(err, rpctypes.ErrLeaseNotFound) && had != 0 {
		k.lease = 0
		err = k.put(ctx, w.value)
	}
	if err != nil {
		return err
	}
	k.Wrote(version, k.lease)
	return nil
}

func (k *keeper) put(ctx context.Context, value string) error {
	ctx, cancel := context.WithTimeout(ctx, k.timeout)
	defer cancel()
	if k.lease == 0 {
		if err := k.grant(ctx); err != nil {
			return fmt.Errorf("asking for a lease: %w", k.cause(err))
		}
	}
	resp, err := k.client.Put(ctx, k.Name(), value, clientv3.WithLease(k.lease))
	switch {
	case errors.Is(err, rpctypes.ErrLeaseNotFound):
		return err
	case err != nil:
		return fmt.Errorf("writing: %w", k.cause(err))
	}
	k.revision = resp.Header.Revision
	return nil
}

// cause is the reason for an error. The client repeats requests by itself until
// their time is up, and does not tell why it had to.
func (k *keeper) cause(err error) error {
	conn := k.client.ActiveConnection()
	if errors.Is(err, context.DeadlineExceeded) && conn != nil && conn.GetState() != connectivity.Ready {
		return errors.New("no connection to etcd")
	}
	return reason(err)
}

// grant asks for a lease. When ctx is done it still waits for the answer for a
// while: a lease that nobody knows of cannot be revoked.
func (k *keeper) grant(ctx context.Context) error {
	patient, cancel := context.WithTimeout(context.WithoutCancel(ctx), k.timeout)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(goodbye, cancel) })
	defer stop()
	resp, err := k.lessor.Grant(patient, k.ttl)
	if err != nil {
		return err
	}
	k.lease = resp.ID
	return nil
}

// check finds what somebody else has done to the key since it was written.
func (k *keeper) check(resp clientv3.WatchResponse, ok bool) error {
	if !ok {
		return errUnwatched
	}
	if err := resp.Err(); err != nil {
		return fmt.Errorf("watching the key: %w", reason(err))
	}
	for _, ev := range resp.Events {
		switch {
		case ev.Kv.ModRevision <= k.revision: // our own, or replaced by it
		case ev.Type == clientv3.EventTypeDelete:
			return errDeleted
		default:
			return errReplaced
		}
	}
	return nil
}

// remove revokes the lease, and with it the key. There is nothing to do for one
// that is gone already.
func (k *keeper) remove(ctx context.Context) error {
	if k.lease == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, k.timeout)
	defer cancel()
	_, err := k.lessor.Revoke(ctx, k.lease)
	if err != nil && !errors.Is(err, rpctypes.ErrLeaseNotFound) {
		return fmt.Errorf("removing: %w", k.cause(err))
	}
	k.lease = 0
	return nil
}

// Leave removes the entry when nobody waits for it any more.
func (k *keeper) Leave(ctx context.Context) (gone bool) {
	ctx, cancel := context.WithTimeout(ctx, goodbye)
	defer cancel()
	if err := k.remove(ctx); err != nil {
		logger.Warningf("registration of %q is left to expire: %v", k.Name(), err)
		return false
	}
	return true
}
