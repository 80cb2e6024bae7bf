package consul

import (
	"context"
	"fmt"
	"time"

	"github.com/evenkeel-grpc/evenkeel/resolvers/internal/register"
)

// Registrar keeps one entry in Consul. Its methods may be called from any
// goroutine.
type Registrar struct{ book *book }

type (
	book  = register.Book[Registration, struct{}]
	known = register.Status[struct{}]
)

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
	b := register.Open("consul", reg.ID, reg, reg.tell)
	b.Start(ctx, &keeper{book: b})
	return &Registrar{b}, nil
}

// ID returns that of the instance.
func (r *Registrar) ID() string { return r.book.Name() }

// Done returns a channel that is closed when the registrar has ended: its
// goroutines are gone, and so is the entry if the agent could be reached.
func (r *Registrar) Done() <-chan struct{} { return r.book.Done() }

// Status returns what is known of the entry.
func (r *Registrar) Status() Status { return public(r.book.Status()) }

// Ready waits until the entry has been written once. A server does not need it:
// clients find the entry when it is there.
func (r *Registrar) Ready(ctx context.Context) error { return r.book.Ready(ctx) }

// Update changes the registration in place: clients never see the entry gone. It
// returns when the change is written. If ctx is done before that, it is written
// later all the same. Service, ID, Client and OnStatus stay what they are.
func (r *Registrar) Update(ctx context.Context, change func(*Registration)) error {
	return r.book.Update(ctx, func(old Registration) (Registration, error) {
		reg, err := old.complete() // a copy
		if err != nil {
			return reg, err
		}
		change(&reg)
		reg.Service, reg.ID, reg.Client, reg.OnStatus = old.Service, old.ID, old.Client, old.OnStatus
		return reg.complete()
	})
}

// Drain puts the instance into maintenance, so that clients begin nothing new,
// waits DrainWait for all of them to notice, removes the entry and returns; the
// server can then end gracefully. If ctx is done before that, Drain returns an
// error, and the removal goes on. The registrar ends when the entry is gone.
func (r *Registrar) Drain(ctx context.Context) error { return r.book.Drain(ctx) }

func public(s known) Status { return Status{State: State(s.State), Err: s.Err} }

// tell calls OnStatus.
func (reg Registration) tell(before, now known) {
	if reg.OnStatus != nil && (now.State != before.State || textOf(now.Err) != textOf(before.Err)) {
		reg.OnStatus(public(now))
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
