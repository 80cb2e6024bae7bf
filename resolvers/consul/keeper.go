package consul

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/evenkeel-grpc/evenkeel/resolvers/internal/register"
)

const (
	// requestTimeout bounds each request of a registrar.
	requestTimeout = 5 * time.Second
	// goodbye is how long the removal may take when the context is done.
	goodbye = 2 * time.Second
)

// keeper is what the goroutine of a registrar does.
type keeper struct {
	*book
	client *client // nil until one was made
	hushed bool    // clients are told to stay away
}

// Attempt keeps the entry until something happens to it, or removes it.
func (k *keeper) Attempt(ctx context.Context) error {
	if err := k.openClient(); err != nil {
		return err
	}
	if _, _, draining := k.Wanted(); !draining {
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
	if reg, _, _ := k.Wanted(); reg.Client != nil {
		k.client = &client{Client: reg.Client}
		return nil
	}
	k.client, err = newClient(origin{})
	return err
}

// Close leaves the caller's client alone.
func (k *keeper) Close() {
	if k.client != nil {
		k.client.close()
	}
}

// Failed has nothing to add to the error.
func (k *keeper) Failed(err error) (none struct{}) {
	logger.Warningf("registration of %q: %v", k.Name(), err)
	return none
}

// keep registers the server and returns an error when the agent may not know it
// any more, or nil if it is not to be known any more.
func (k *keeper) keep(ctx context.Context) error {
	if err := k.write(ctx); err != nil {
		return err
	}
	for {
		reg, version, draining := k.Wanted()
		switch {
		case draining:
			return nil
		case version != k.Written(): // only this goroutine changes it
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
		case <-k.Nudge():
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
	reg, version, _ := k.Wanted()
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
	k.Wrote(version, struct{}{})
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
		_, _, err := k.client.Agent().Service(k.Name(), q)
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
	k.Note(func(s *known) { s.State = register.Draining })
	if !k.hushed && k.Written() > 0 {
		err := k.setMaintenance(ctx, true)
		if err != nil && !isNotFound(err) {
			return err
		}
		k.hushed = true
		reg, _, _ := k.Wanted()
		if err := sleep(ctx, reg.pause()); err != nil {
			return err
		}
	}
	return k.remove(ctx)
}

// setMaintenance also ends what a drain before a crash has left behind.
func (k *keeper) setMaintenance(ctx context.Context, on bool) error {
	return k.request(ctx, "maintenance", func(_ context.Context, q *api.QueryOptions) error {
		if on {
			return k.client.Agent().EnableServiceMaintenanceOpts(k.Name(), "draining", q)
		}
		return k.client.Agent().DisableServiceMaintenanceOpts(k.Name(), q)
	})
}

// remove removes the entry. There is nothing to do if the agent does not know it.
func (k *keeper) remove(ctx context.Context) error {
	err := k.request(ctx, "deregistering", func(_ context.Context, q *api.QueryOptions) error {
		return k.client.Agent().ServiceDeregisterOpts(k.Name(), q)
	})
	if isNotFound(err) {
		return nil
	}
	return err
}

// Leave removes the entry when nobody waits for it any more.
func (k *keeper) Leave(ctx context.Context) (gone bool) {
	if k.client == nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, goodbye)
	defer cancel()
	if err := k.remove(ctx); err != nil {
		logger.Warningf("registration of %q is left to expire: %v", k.Name(), err)
		return false
	}
	return true
}

// request makes one request of the agent, and explains its error.
func (k *keeper) request(ctx context.Context, what string, do func(context.Context, *api.QueryOptions) error) error {
	token, err := k.client.token()
	if err != nil {
		return err
	}
	reg, _, _ := k.Wanted()
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
