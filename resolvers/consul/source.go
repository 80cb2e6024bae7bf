package consul

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/evenkeel-grpc/evenkeel/resolvers/internal/watch"
)

var (
	_ watch.Source   = (*source)(nil)
	_ watch.Hastener = (*source)(nil)
)

// source is one query, for all channels that ask for it.
type source struct {
	// Set by newSource, then read-only.
	from  origin
	query *query
	sites []*site // in the order of preference

	// Owned by Run.
	config   keyWatch
	notSoon  time.Time     // before which Consul does not want to be asked
	overload time.Duration // the wait after the last 429 that named none
}

func newSource(from origin, q query) *source {
	s := &source{from: from, query: &q, config: keyWatch{query: &q, pacer: newPacer()}}
	dcs := q.dcs.split()
	if len(dcs) == 0 {
		dcs = []string{""}
	}
	for _, dc := range dcs {
		s.sites = append(s.sites, newSite(&q, dc))
	}
	return s
}

// ResolveNow hastens the next execution of a prepared query.
func (s *source) ResolveNow() {
	for _, site := range s.sites {
		select {
		case site.hasten <- struct{}{}:
		default:
		}
	}
}

// Run follows the sites and, if there is one, the service config.
func (s *source) Run(ctx context.Context, publish func(watch.Snapshot)) error {
	if err := sleep(ctx, time.Until(s.notSoon)); err != nil {
		return err
	}
	c, release, err := clients.acquire(s.from)
	if err != nil {
		return err
	}
	err = newRun(s, c, publish).do(ctx)
	release(ctx.Err() == nil && !refused(err))
	s.rest(err)
	return err
}

// refused tells whether an error is Consul's answer, so that the client works.
func refused(err error) bool {
	_, ok := errors.AsType[refusal](err)
	return ok
}

const (
	// After a 429 that does not say for how long, the rest is minRest, then
	// twice as long each time up to maxRest, which also bounds what Consul says.
	minRest = time.Second
	maxRest = 30 * time.Second
)

// rest postpones the next run if that is what Consul asks for.
func (s *source) rest(err error) {
	r, ok := errors.AsType[refusal](err)
	wait := r.rest
	switch {
	case !ok:
		s.overload = 0
	case wait == 0 && r.Code == http.StatusTooManyRequests:
		s.overload = min(max(2*s.overload, minRest), maxRest)
		wait = s.overload + rand.N(s.overload/4)
	}
	if wait > 0 {
		s.notSoon = time.Now().Add(wait)
	}
}
