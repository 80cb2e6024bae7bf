package consul

import (
	"cmp"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"

	"github.com/hashicorp/consul/api"
	"google.golang.org/grpc/attributes"
	"google.golang.org/grpc/experimental/balancer/weight"
	"google.golang.org/grpc/resolver"

	"github.com/evenkeel-grpc/evenkeel/resolvers/internal/watch"
)

// candidate is an instance that may become an endpoint.
type candidate struct {
	endpoint resolver.Endpoint
	healthy  bool
	instance *Instance
}

// chooser makes endpoints of instances.
type chooser struct {
	query  *query
	logged map[string]bool // what was wrong with instances of the last answer
}

// choose returns the endpoints among the entries that Consul found.
func (c *chooser) choose(a answer) watch.Snapshot {
	found, malformed := c.candidates(a.entries)
	s := watch.Snapshot{Endpoints: c.limit(pick(found, c.query.fallback))}
	if len(s.Endpoints) == 0 {
		s.Detail = c.detail(found, malformed, a.hiding)
	}
	return s
}

// candidates reads the entries. One that is malformed is skipped, and logged
// once.
func (c *chooser) candidates(entries []*api.ServiceEntry) (found []candidate, malformed int) {
	logged := make(map[string]bool)
	for i, e := range entries {
		one, err := c.candidate(e, i)
		if err == nil {
			found = append(found, one)
			continue
		}
		malformed++
		text := err.Error()
		if !logged[text] && !c.logged[text] {
			logger.Warningf("service %q: skipping %s", c.query.name, text)
		}
		logged[text] = true
	}
	c.logged = logged
	if c.query.near == "" {
		slices.SortFunc(found, candidate.compare)
	}
	return found, malformed
}

// compare orders candidates by address, and of those with one address the least
// ID first: it is the first that counts.
func (c candidate) compare(o candidate) int {
	return cmp.Or(
		cmp.Compare(c.endpoint.Addresses[0].Addr, o.endpoint.Addresses[0].Addr),
		cmp.Compare(c.instance.ID, o.instance.ID),
	)
}

func (c *chooser) candidate(e *api.ServiceEntry, position int) (candidate, error) {
	if e == nil || e.Service == nil || e.Node == nil || slices.Contains(e.Checks, nil) {
		return candidate{}, errors.New("an instance of which a part is missing")
	}
	addr, err := address(e, c.query.addr)
	if err != nil {
		return candidate{}, fmt.Errorf("instance %q: %w", e.Service.ID, err)
	}
	i := newInstance(e)
	i.position = position
	h := healthOf(i.Status)
	w := weightFor(e.Service.Weights, h)
	return candidate{
		endpoint: weight.Set(resolver.Endpoint{
			Addresses:  []resolver.Address{{Addr: addr}},
			Attributes: attributes.New(instanceKey{}, i),
		}, weight.EndpointInfo{Weight: w}),
		// A weight of 0 asks for no requests in this state.
		healthy:  h <= c.query.health && w > 0,
		instance: i,
	}, nil
}

// weightFor returns the weight for a health. Consul has none for critical ones,
// and none at all in very old catalogs.
func weightFor(w api.AgentWeights, h health) uint32 {
	switch {
	case w == api.AgentWeights{}:
		return 1
	case h == passing:
		return uint32(max(w.Passing, 0))
	case h == warning:
		return uint32(max(w.Warning, 0))
	default:
		return 1
	}
}

// pick returns the endpoints of those that are healthy, or of all if there are
// none and that is better than nothing.
func pick(found []candidate, fallback bool) []resolver.Endpoint {
	var healthy, all []resolver.Endpoint
	for _, c := range found {
		all = append(all, c.endpoint)
		if c.healthy {
			healthy = append(healthy, c.endpoint)
		}
	}
	if len(healthy) == 0 && fallback {
		return all
	}
	return healthy
}

// seed makes processes choose differently.
var seed = maphash.MakeSeed()

// limit keeps as many endpoints as the target asks for: the nearest if it says
// near, else those whose addresses hash lowest with a seed of this process's
// own. So each process keeps its choice as far as it can when others come and
// go, and all together use all.
func (c *chooser) limit(list []resolver.Endpoint) []resolver.Endpoint {
	n := c.query.limit
	if n == 0 || n >= len(list) {
		return list
	}
	if c.query.near == "" {
		slices.SortStableFunc(list, func(a, b resolver.Endpoint) int {
			return cmp.Compare(hash(a), hash(b))
		})
	}
	taken := make(map[string]bool, n)
	return slices.DeleteFunc(list, func(e resolver.Endpoint) bool {
		addr := e.Addresses[0].Addr
		if taken[addr] || len(taken) == n {
			return true
		}
		taken[addr] = true
		return false
	})
}

func hash(e resolver.Endpoint) uint64 { return maphash.String(seed, e.Addresses[0].Addr) }

// detail says why there is no endpoint.
func (c *chooser) detail(found []candidate, malformed int, hiding string) string {
	var texts []string
	if len(found) == 0 && malformed == 0 {
		texts = append(texts, c.query.describe())
	}
	if len(found) > 0 {
		count := make(map[string]int)
		for _, f := range found {
			count[f.instance.Status]++
		}
		texts = append(texts, fmt.Sprintf("none of the instances is healthy enough (%s)", statuses(count)))
	}
	if malformed > 0 {
		texts = append(texts, fmt.Sprintf("malformed instances skipped: %d", malformed))
	}
	if hiding != "" {
		texts = append(texts, hiding)
	}
	return strings.Join(texts, "; ")
}

// describe says what was not found.
func (q *query) describe() string {
	text := "Consul knows no instance of the service"
	if q.prepared {
		text = "the prepared query finds no instance"
	}
	if tags := q.tags.split(); len(tags) > 0 {
		text += fmt.Sprintf(" with the tags %q", tags)
	}
	if q.filter != "" {
		text += fmt.Sprintf(" that the filter %q accepts", q.filter)
	}
	return text
}
