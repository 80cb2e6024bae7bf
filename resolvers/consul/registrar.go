package consul

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

var errStopped = errors.New("the registration has ended")

// Registrar keeps one entry in Consul. Its methods may be called from any
// goroutine.
type Registrar struct {
	// Set by Register, then read-only.
	id   string
	done chan struct{} // closed when the goroutine is gone
	// Of capacity 1: something below has changed that the goroutine must act on.
	nudge chan struct{}

	mu       sync.Mutex // guards the fields below
	reg      Registration
	version  int           // of reg, from 1
	written  int           // the version that the agent has confirmed
	draining bool          // the entry is to go
	hushed   bool          // clients are told to stay away
	drained  bool          // the entry is gone
	status   Status        // as of the last change
	changed  chan struct{} // closed on the next change of written, hushed, drained or status
}

// Register keeps a registration in Consul until ctx is done or it is drained. It
// returns at once, and fails only if the registration is malformed; from then on
// whatever happens is repaired for ever: if the agent cannot be reached, after
// waits of 100 ms to 2 s plus or minus half; if it has forgotten the service, or
// somebody has removed it, at the next heartbeat. When ctx is done the entry is
// removed; if the agent cannot be reached then, it is critical after the TTL and
// removed after DeregisterCriticalServiceAfter.
//
// Register a server when it serves: it counts as healthy at once, unless Health or
// Checks say otherwise.
func Register(ctx context.Context, reg Registration) (*Registrar, error) {
	reg, err := reg.complete()
	if err != nil {
		return nil, fmt.Errorf("consul: Register: %w", err)
	}
	r := &Registrar{
		id:      reg.ID,
		done:    make(chan struct{}),
		nudge:   make(chan struct{}, 1),
		reg:     reg,
		version: 1,
		changed: make(chan struct{}),
	}
	k := newKeeper(r)
	go func() {
		defer close(r.done)
		k.run(ctx)
	}()
	return r, nil
}

// ID returns that of the instance.
func (r *Registrar) ID() string { return r.id }

// Done returns a channel that is closed when the registrar has ended: its
// goroutines are gone, and so is the entry if the agent could be reached.
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

// Update changes the registration in place: clients never see the entry gone. It
// returns when the change is written. If ctx is done before that, it is written
// later all the same. Service, ID, Client and OnStatus stay what they are.
func (r *Registrar) Update(ctx context.Context, change func(*Registration)) error {
	version, err := r.set(change)
	if err != nil {
		return fmt.Errorf("consul: Update %q: %w", r.id, err)
	}
	r.wake()
	return r.wait(ctx, "not updated yet", func() bool { return r.written >= version })
}

func (r *Registrar) set(change func(*Registration)) (version int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	reg, err := r.reg.complete() // a copy
	if err != nil {
		return 0, err
	}
	change(&reg)
	reg.Service, reg.ID, reg.Client, reg.OnStatus = r.reg.Service, r.reg.ID, r.reg.Client, r.reg.OnStatus
	if reg, err = reg.complete(); err != nil {
		return 0, err
	}
	r.reg = reg
	r.version++
	return r.version, nil
}

// Drain puts the instance into maintenance, so that clients begin nothing new,
// waits DrainWait for all of them to notice, removes the entry and returns; the
// server can then end gracefully. If ctx is done before that, Drain returns an
// error, and the removal goes on. The registrar ends when the entry is gone.
func (r *Registrar) Drain(ctx context.Context) error {
	r.mu.Lock()
	r.draining = true
	r.mu.Unlock()
	r.wake()
	return r.wait(ctx, "not removed yet", func() bool { return r.drained })
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
			return fmt.Errorf("consul: %q: %s: %w", r.id, otherwise, errStopped)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			if status.Err != nil {
				return fmt.Errorf("consul: %q: %s: %w; last error: %w", r.id, otherwise, ctx.Err(), status.Err)
			}
			return fmt.Errorf("consul: %q: %s: %w", r.id, otherwise, ctx.Err())
		}
	}
}

// wanted returns what is to be registered, and whether it is to go.
func (r *Registrar) wanted() (reg Registration, version int, draining bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.reg, r.version, r.draining
}

// note changes what others can see, and tells them.
func (r *Registrar) note(change func()) {
	r.mu.Lock()
	before := r.status
	change()
	now, tell := r.status, r.reg.OnStatus
	close(r.changed)
	r.changed = make(chan struct{})
	r.mu.Unlock()
	if tell != nil && (now.State != before.State || textOf(now.Err) != textOf(before.Err)) {
		tell(now)
	}
}

func textOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// pause is the time that Drain waits.
func (reg Registration) pause() time.Duration { return max(reg.DrainWait, 0) }
