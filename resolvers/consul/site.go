package consul

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"google.golang.org/grpc/resolver"

	"github.com/evenkeel-grpc/evenkeel/resolvers/internal/watch"
)

// site follows the service in one datacenter.
type site struct {
	// Set by newSite, then read-only.
	dc     string // empty means the agent's own
	query  *query
	hasten chan struct{} // capacity 1: a ResolveNow that nobody has seen yet

	// Owned by follow, which never runs twice at once.
	asker   asker
	chooser chooser
	pacer   *pacer
	last    watch.Snapshot
	found   bool // whether last is an answer
}

func newSite(q *query, dc string) *site {
	return &site{
		dc:      dc,
		query:   q,
		chooser: chooser{query: q},
		pacer:   newPacer(),
		hasten:  make(chan struct{}, 1),
	}
}

// follow tells what it finds through publish, first the list and then every
// change of it, until a request fails or ctx is done.
func (s *site) follow(ctx context.Context, c *client, publish func(watch.Snapshot)) error {
	s.asker.client, s.asker.query, s.asker.dc = c, s.query, s.dc
	if s.query.prepared {
		return s.poll(ctx, publish)
	}
	first, index := true, uint64(0)
	for {
		if err := s.pacer.wait(ctx); err != nil {
			return err
		}
		a, err := s.asker.instances(ctx, index)
		if err != nil {
			return err
		}
		if err := s.distrust(a); err != nil {
			return err
		}
		index = nextIndex(index, a.meta.LastIndex)
		news := s.take(a)
		s.pacer.heard(news)
		if news || first {
			publish(s.last)
		}
		first = false
	}
}

// take makes an answer the last one, and tells whether it brought news.
func (s *site) take(a answer) bool {
	now := s.chooser.choose(a)
	if s.found && same(s.last, now) {
		return false
	}
	s.last, s.found = now, true
	return true
}

func same(a, b watch.Snapshot) bool {
	return a.Detail == b.Detail && slices.EqualFunc(a.Endpoints, b.Endpoints, func(a, b resolver.Endpoint) bool {
		return slices.EqualFunc(a.Addresses, b.Addresses, resolver.Address.Equal) && a.Attributes.Equal(b.Attributes)
	})
}

// maxLag is how far behind its leader a server may be. It bounds what stale
// reads can bring back.
const maxLag = 10 * time.Second

// distrust refuses the answer of a server that has lost its leader, if there is
// a better one already: what is old must not take the place of what is newer.
// Without any, an old answer is better than none.
func (s *site) distrust(a answer) error {
	lag := a.meta.LastContact
	switch {
	case !s.found || len(s.last.Endpoints) == 0 || lag == 0:
		return nil
	case !a.meta.KnownLeader:
		return errors.New("the Consul server that answers has no leader")
	case lag > maxLag:
		return fmt.Errorf("the Consul server that answers is more than %v behind its leader", maxLag)
	}
	return nil
}

// poll is follow for a prepared query, which cannot wait for a change.
func (s *site) poll(ctx context.Context, publish func(watch.Snapshot)) error {
	for first := true; ; first = false {
		a, err := s.asker.execute(ctx)
		if err != nil {
			return err
		}
		if s.take(a) || first {
			publish(s.last)
		}
		if err := s.idle(ctx, s.interval(a.ttl)); err != nil {
			return err
		}
	}
}

// interval is the time to the next execution: the wait of the target, else the
// TTL of the query, plus or minus a tenth.
func (s *site) interval(ttl time.Duration) time.Duration {
	d := pollInterval
	if ttl > 0 {
		d = ttl
	}
	if s.query.wait > 0 {
		d = s.query.wait
	}
	d = max(d, minPoll)
	return d - d/10 + rand.N(d/5+1)
}

// minPoll is the least time between two executions.
const minPoll = time.Second

// idle waits for d, or for ResolveNow and minPoll.
func (s *site) idle(ctx context.Context, d time.Duration) error {
	if err := sleep(ctx, min(d, minPoll)); err != nil {
		return err
	}
	timer := time.NewTimer(max(d-minPoll, 0))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-s.hasten:
	case <-timer.C:
	}
	return nil
}
