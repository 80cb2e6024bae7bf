package consul

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/hashicorp/consul/api"
)

const (
	// The waits between two attempts to register, before jitter.
	minRepair = 100 * time.Millisecond
	maxRepair = 2 * time.Second

	// requestTimeout bounds each request of a registrar.
	requestTimeout = 5 * time.Second
	// goodbye is how long the removal may take when the context is done.
	goodbye = 2 * time.Second
)

// keeper is the goroutine of a registrar.
type keeper struct {
	*Registrar
	client *client // nil until one was made
	retry  *backoff.ExponentialBackOff
}

func newKeeper(r *Registrar) *keeper {
	return &keeper{
		Registrar: r,
		retry: &backoff.ExponentialBackOff{
			InitialInterval: minRepair, MaxInterval: maxRepair, Multiplier: 2, RandomizationFactor: 0.5,
		},
	}
}

// run registers the server and repairs that until ctx is done or it is drained.
func (k *keeper) run(ctx context.Context) {
	defer k.note(func() { k.status = Status{State: Stopped, Err: k.status.Err} })
	defer k.closeClient()
	for ctx.Err() == nil {
		started := time.Now()
		err := k.attempt(ctx)
		if err == nil {
			return
		}
		if ctx.Err() == nil {
			k.failed(err)
			k.pause(ctx, started)
		}
	}
	k.leave(context.WithoutCancel(ctx))
}

// attempt keeps the entry until something happens to it, or removes it.
func (k *keeper) attempt(ctx context.Context) error {
	if err := k.openClient(); err != nil {
		return err
	}
	if _, _, draining := k.wanted(); !draining {
		if err := k.keep(ctx); err != nil {
			return err
		}
	}
	return k.drain(ctx)
}

// openClient makes a client, which may read files, if there is none.
func (k *keeper) openClient() (err error) {
	if k.client != nil {
		return nil
	}
	if reg, _, _ := k.wanted(); reg.Client != nil {
		k.client = &client{Client: reg.Client}
		return nil
	}
	k.client, err = newClient(origin{})
	return err
}

func (k *keeper) closeClient() {
	if k.client != nil {
		k.client.close()
	}
}

func (k *keeper) failed(err error) {
	logger.Warningf("registration of %q: %v", k.id, err)
	k.note(func() {
		k.status.Err = err
		if !k.draining {
			k.status.State = Retrying
		}
	})
}

// pause waits for the next attempt, but not if the entry is to go now. started is
// when the last one began.
func (k *keeper) pause(ctx context.Context, started time.Time) {
	if time.Since(started) >= maxRepair {
		k.retry.Reset()
	}
	timer := time.NewTimer(k.retry.NextBackOff())
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			return
		case <-k.nudge:
			if _, _, draining := k.wanted(); draining && k.Status().State != Draining {
				return
			}
		}
	}
}

// keep registers the server and returns an error when the agent may not know it
// any more, or nil if it is not to be known any more.
func (k *keeper) keep(ctx context.Context) error {
	if err := k.write(ctx); err != nil {
		return err
	}
	for {
		reg, version, draining := k.wanted()
		switch {
		case draining:
			return nil
		case version != k.written: // only this goroutine changes it
			if err := k.write(ctx); err != nil {
				return err
			}
			continue
		}
		timer := time.NewTimer(reg.heartbeat())
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-k.nudge:
			timer.Stop()
			continue
		case <-timer.C:
		}
		if err := k.beat(ctx, reg); err != nil {
			return err
		}
	}
}

// write registers what is wanted, over what there is.
func (k *keeper) write(ctx context.Context) error {
	reg, version, _ := k.wanted()
	status, output := k.health(ctx, reg)
	err := k.request(ctx, "registering", func(ctx context.Context, q *api.QueryOptions) error {
		opts := api.ServiceRegisterOpts{ReplaceExistingChecks: true, Token: q.Token}
		return k.client.Agent().ServiceRegisterOpts(reg.service(status), opts.WithContext(ctx))
	})
	if err == nil && reg.TTL > 0 { // a check that was there before keeps its status
		err = k.setCheck(ctx, reg, status, output)
	}
	if err == nil {
		err = k.setMaintenance(ctx, false)
	}
	if err != nil {
		return err
	}
	k.note(func() {
		k.written = version
		k.status = Status{State: Registered}
	})
	return nil
}

// beat tells the agent that the server is alive, and finds out whether the agent
// still knows it.
func (k *keeper) beat(ctx context.Context, reg Registration) error {
	if reg.TTL > 0 {
		status, output := k.health(ctx, reg)
		return k.setCheck(ctx, reg, status, output)
	}
	return k.request(ctx, "asking for the service", func(_ context.Context, q *api.QueryOptions) error {
		_, _, err := k.client.Agent().Service(k.id, q)
		return err
	})
}

func (k *keeper) setCheck(ctx context.Context, reg Registration, status, output string) error {
	return k.request(ctx, "heartbeat", func(_ context.Context, q *api.QueryOptions) error {
		return k.client.Agent().UpdateTTLOpts(reg.checkID(), output, status, q)
	})
}

// health asks the server itself.
func (k *keeper) health(ctx context.Context, reg Registration) (status, output string) {
	if reg.Health == nil {
		return api.HealthPassing, ""
	}
	ctx, cancel := context.WithTimeout(ctx, reg.heartbeat())
	defer cancel()
	if err := reg.Health(ctx); err != nil {
		return api.HealthCritical, err.Error()
	}
	return api.HealthPassing, ""
}

// drain tells clients to stay away, gives them time, and removes the entry.
func (k *keeper) drain(ctx context.Context) error {
	k.note(func() { k.status = Status{State: Draining, Err: k.status.Err} })
	if !k.hushed && k.written > 0 {
		err := k.setMaintenance(ctx, true)
		if err != nil && !isNotFound(err) {
			return err
		}
		k.note(func() { k.hushed = true })
		reg, _, _ := k.wanted()
		if err := sleep(ctx, reg.pause()); err != nil {
			return err
		}
	}
	if err := k.remove(ctx); err != nil {
		return err
	}
	k.note(func() {
		k.drained = true
		k.status.Err = nil
	})
	return nil
}

// setMaintenance also ends what a drain before a crash has left behind.
func (k *keeper) setMaintenance(ctx context.Context, on bool) error {
	return k.request(ctx, "maintenance", func(_ context.Context, q *api.QueryOptions) error {
		if on {
			return k.client.Agent().EnableServiceMaintenanceOpts(k.id, "draining", q)
		}
		return k.client.Agent().DisableServiceMaintenanceOpts(k.id, q)
	})
}

// remove removes the entry. There is nothing to do if the agent does not know it.
func (k *keeper) remove(ctx context.Context) error {
	err := k.request(ctx, "deregistering", func(_ context.Context, q *api.QueryOptions) error {
		return k.client.Agent().ServiceDeregisterOpts(k.id, q)
	})
	if isNotFound(err) {
		return nil
	}
	return err
}

// leave removes the entry when nobody waits for it any more.
func (k *keeper) leave(ctx context.Context) {
	if k.client == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, goodbye)
	defer cancel()
	if err := k.remove(ctx); err != nil {
		logger.Warningf("registration of %q is left to expire: %v", k.id, err)
		return
	}
	k.note(func() { k.drained = true })
}

// request makes one request of the agent, and explains its error.
func (k *keeper) request(ctx context.Context, what string, do func(context.Context, *api.QueryOptions) error) error {
	token, err := k.client.token()
	if err != nil {
		return err
	}
	reg, _, _ := k.wanted()
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	q := &api.QueryOptions{Token: token.Reveal(), Namespace: reg.Namespace, Partition: reg.Partition}
	err = do(ctx, q.WithContext(ctx))
	switch status, ok := errors.AsType[api.StatusError](err); {
	case err == nil:
		return nil
	case ok:
		err = refusal{StatusError: status}
	case errors.Is(err, context.DeadlineExceeded):
		err = errTimeout
	default:
		err = reason(err)
	}
	return k.client.hide(fmt.Errorf("%s: %w", what, err), token)
}

// isNotFound tells whether the agent does not know the service.
func isNotFound(err error) bool {
	r, ok := errors.AsType[refusal](err)
	return ok && r.Code == http.StatusNotFound
}
