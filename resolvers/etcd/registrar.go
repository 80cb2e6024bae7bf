package etcd

import (
	"context"
	"errors"
	"fmt"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/evenkeel-grpc/evenkeel/resolvers/internal/register"
)

// Registrar keeps one entry in etcd. Its methods may be called from any
// goroutine.
type Registrar struct{ book *book }

// wanted is what the key is to hold.
type wanted struct {
	reg   Registration
	value string
}

type (
	book  = register.Book[wanted, clientv3.LeaseID]
	known = register.Status[clientv3.LeaseID]
)

// Register keeps a registration in etcd until ctx is done or it is drained. It
// returns at once, and fails only if the registration is malformed; from then on
// whatever happens to etcd, the lease or the key is repaired for ever, after waits
// of 100 ms to 2 s plus or minus half. When ctx is done the entry is removed; if
// etcd cannot be reached then, it expires after the TTL.
//
// The client stays the caller's. It must be closed after Done.
func Register(ctx context.Context, client *clientv3.Client, reg Registration) (*Registrar, error) {
	if client == nil {
		return nil, errors.New("etcd: Register: no client")
	}
	// A lessor of our own stops its goroutines when it is closed.
	return start(ctx, client, clientv3.NewLease(client), reg)
}

func start(ctx context.Context, client *clientv3.Client, lease clientv3.Lease, reg Registration) (*Registrar, error) {
	reg, err := reg.complete()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("etcd: Register: %w", err), lease.Close())
	}
	value, err := reg.value()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("etcd: Register %q: %w", reg.key(), err), lease.Close())
	}
	b := register.Open("etcd", reg.key(), wanted{reg, value}, reg.tell)
	b.Start(ctx, newKeeper(b, client, lease, reg.TTL))
	return &Registrar{b}, nil
}

// Key returns the key of the entry.
func (r *Registrar) Key() string { return r.book.Name() }

// Done returns a channel that is closed when the registrar has ended: its
// goroutines are gone, and its lease is revoked if etcd could be reached.
func (r *Registrar) Done() <-chan struct{} { return r.book.Done() }

// Status returns what is known of the entry.
func (r *Registrar) Status() Status { return public(r.book.Status()) }

// Ready waits until the entry has been written once. A server does not need it:
// clients find the entry when it is there.
func (r *Registrar) Ready(ctx context.Context) error { return r.book.Ready(ctx) }

// Update replaces metadata and weight, in place: clients never see the entry gone.
// It returns when they are written. If ctx is done before that, they are written
// later all the same.
func (r *Registrar) Update(ctx context.Context, metadata any, weight uint32) error {
	return r.book.Update(ctx, func(w wanted) (_ wanted, err error) {
		w.reg.Metadata, w.reg.Weight = metadata, weight
		w.value, err = w.reg.value()
		return w, err
	})
}

// Drain removes the entry, so that no client begins anything new, waits DrainWait
// for all of them to notice, and returns; the server can then end gracefully. If
// ctx is done before that, Drain returns an error, and the removal goes on. The
// registrar ends when the entry is gone.
func (r *Registrar) Drain(ctx context.Context) error {
	if err := r.book.Drain(ctx); err != nil {
		return err
	}
	w, _, _ := r.book.Wanted()
	timer := time.NewTimer(w.reg.DrainWait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func public(s known) Status { return Status{State: State(s.State), Err: s.Err, Lease: s.Detail} }

// tell calls OnStatus.
func (reg Registration) tell(before, now known) {
	if now != before && reg.OnStatus != nil {
		reg.OnStatus(public(now))
	}
}
