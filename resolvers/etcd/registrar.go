package etcd

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

var errStopped = errors.New("the registration has ended")

// Registrar keeps one entry in etcd. Its methods may be called from any
// goroutine.
type Registrar struct {
	// Set by Register, then read-only.
	key  string
	done chan struct{} // closed when the goroutine is gone
	// Of capacity 1: something below has changed that the goroutine must act on.
	nudge chan struct{}

	mu       sync.Mutex // guards the fields below
	reg      Registration
	value    string        // that the key is to hold
	version  int           // of value, from 1
	written  int           // the version that the key has held
	draining bool          // the key is to go
	drained  bool          // and is gone
	status   Status        // as of the last change
	changed  chan struct{} // closed on the next change of written, drained or status
}

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
	return register(ctx, client, clientv3.NewLease(client), reg)
}

func register(ctx context.Context, client *clientv3.Client, lease clientv3.Lease, reg Registration) (*Registrar, error) {
	reg, err := reg.complete()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("etcd: Register: %w", err), lease.Close())
	}
	value, err := reg.value()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("etcd: Register %q: %w", reg.key(), err), lease.Close())
	}
	r := &Registrar{
		key:     reg.key(),
		done:    make(chan struct{}),
		nudge:   make(chan struct{}, 1),
		reg:     reg,
		value:   value,
		version: 1,
		changed: make(chan struct{}),
	}
	k := newKeeper(r, client, lease)
	go func() {
		defer close(r.done)
		k.run(ctx)
	}()
	return r, nil
}

// Key returns the key of the entry.
func (r *Registrar) Key() string { return r.key }

// Done returns a channel that is closed when the registrar has ended: its
// goroutines are gone, and its lease is revoked if etcd could be reached.
func (r *Registrar) Done() <-chan struct{} { return r.done }

// Status returns what is known of the entry.
func (r *Registrar) Status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status
}

// Ready waits until the entry has been written once. A server does not need it:
// clients find the entry when it is there.
func (r *Registrar) Ready(ctx context.Context) error {
	return r.wait(ctx, "not registered yet", func() bool { return r.written > 0 })
}

// Update replaces metadata and weight, in place: clients never see the entry gone.
// It returns when they are written. If ctx is done before that, they are written
// later all the same.
func (r *Registrar) Update(ctx context.Context, metadata any, weight uint32) error {
	version, err := r.set(metadata, weight)
	if err != nil {
		return fmt.Errorf("etcd: Update %q: %w", r.key, err)
	}
	r.wake()
	return r.wait(ctx, "not updated yet", func() bool { return r.written >= version })
}

func (r *Registrar) set(metadata any, weight uint32) (version int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	reg := r.reg
	reg.Metadata, reg.Weight = metadata, weight
	value, err := reg.value()
	if err != nil {
		return 0, err
	}
	r.reg, r.value = reg, value
	r.version++
	return r.version, nil
}

// Drain removes the entry, so that no client begins anything new, waits DrainWait
// for all of them to notice, and returns; the server can then end gracefully. If
// ctx is done before that, Drain returns an error, and the removal goes on. The
// registrar ends when the entry is gone.
func (r *Registrar) Drain(ctx context.Context) error {
	r.mu.Lock()
	r.draining = true
	pause := r.reg.DrainWait
	r.mu.Unlock()
	r.wake()
	if err := r.wait(ctx, "not removed yet", func() bool { return r.drained }); err != nil {
		return err
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *Registrar) wake() {
	select {
	case r.nudge <- struct{}{}:
	default:
	}
}

// wait waits until ok, which is called with the lock held.
func (r *Registrar) wait(ctx context.Context, otherwise string, ok func() bool) error {
	for {
		r.mu.Lock()
		reached, changed, status := ok(), r.changed, r.status
		r.mu.Unlock()
		switch {
		case reached:
			return nil
		case status.State == Stopped:
			return fmt.Errorf("etcd: %q: %s: %w", r.key, otherwise, errStopped)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			if status.Err != nil {
				return fmt.Errorf("etcd: %q: %s: %w; last error: %w", r.key, otherwise, ctx.Err(), status.Err)
			}
			return fmt.Errorf("etcd: %q: %s: %w", r.key, otherwise, ctx.Err())
		}
	}
}

// wanted returns what the key is to hold, and whether it is to go.
func (r *Registrar) wanted() (value string, version int, draining bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.value, r.version, r.draining
}

// note changes what others can see, and tells them.
func (r *Registrar) note(change func()) {
	r.mu.Lock()
	before := r.status
	change()
	now := r.status
	close(r.changed)
	r.changed = make(chan struct{})
	r.mu.Unlock()
	if now != before && r.reg.OnStatus != nil {
		r.reg.OnStatus(now)
	}
}
