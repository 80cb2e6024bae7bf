package dns

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc/experimental/balancer/weight"
	"google.golang.org/grpc/resolver"

	"github.com/evenkeel-grpc/evenkeel/resolvers/dns/internal/lookup"
)

// service looks for the endpoints that SRV records name.
func (s *source) service(ctx context.Context) (list []resolver.Endpoint, f found, name string) {
	var srvs []lookup.SRV
	f, name = s.search(ctx, s.names(s.cfg.host), func(ctx context.Context, name string) found {
		a := s.memory.ask(ctx, lookup.Question{Name: name, Type: lookup.TypeSRV})
		srvs = a.SRVs
		return found{missing: a.Missing, err: a.err}
	})
	if f.err != nil || f.missing != "" {
		return nil, f, name
	}
	for _, group := range byPriority(srvs) {
		list, f = s.group(ctx, group)
		if len(list) > 0 {
			return list, found{}, name
		}
	}
	return nil, f, name
}

// byPriority returns the records in groups, the preferred first. Each group is
// sorted, so that which of two equal addresses counts does not depend on the
// order of an answer.
func byPriority(srvs []lookup.SRV) [][]lookup.SRV {
	sorted := slices.Clone(srvs)
	slices.SortFunc(sorted, func(a, b lookup.SRV) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(a.Target, b.Target),
			cmp.Compare(a.Port, b.Port), cmp.Compare(b.Weight, a.Weight))
	})
	var groups [][]lookup.SRV
	for i, r := range sorted {
		if i == 0 || r.Priority != sorted[i-1].Priority {
			groups = append(groups, nil)
		}
		groups[len(groups)-1] = append(groups[len(groups)-1], r)
	}
	return groups
}

// group looks for the addresses of all targets of one priority at once. What
// cannot be looked up keeps its last good addresses.
func (s *source) group(ctx context.Context, srvs []lookup.SRV) ([]resolver.Endpoint, found) {
	hosts := s.targets(ctx, srvs)
	weights := weigh(srvs, hosts, s.cfg.groupHost)
	why := found{missing: `the service is not available here: the target is "."`}
	var list []resolver.Endpoint
	for i, r := range srvs {
		f := hosts[r.Target]
		if f.err != nil || f.missing != "" && why.err == nil {
			why = f
		}
		for _, e := range s.endpoints(f.addrs, port(r.Port), s.serverName(r.Target)) {
			if weights != nil {
				e = weight.Set(e, weight.EndpointInfo{Weight: weights[i]})
			}
			list = append(list, e)
		}
	}
	return list, why
}

// atOnce is how many targets are looked up at the same time.
const atOnce = 64

// targets looks for the addresses of the targets, each once.
func (s *source) targets(ctx context.Context, srvs []lookup.SRV) map[string]found {
	hosts := map[string]found{}
	var names []string // to ask name servers for
	for _, r := range srvs {
		if _, seen := hosts[r.Target]; seen || r.Target == "." { // RFC 2782: the service is not available
			continue
		}
		f := found{addrs: s.hostsFile(r.Target)}
		hosts[r.Target] = f
		if len(f.addrs) == 0 {
			names = append(names, r.Target)
		}
	}
	answers := make([]found, len(names))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(atOnce, len(names)) {
		wg.Go(func() {
			for i := next.Add(1) - 1; int(i) < len(names); i = next.Add(1) - 1 {
				answers[i] = s.host(ctx, names[i])
			}
		})
	}
	wg.Wait()
	for i, n := range names {
		hosts[n] = answers[i]
	}
	return hosts
}

// fine is by how much weights are multiplied where they have to be divided, or
// to be much more than those of zero.
const fine = 100

// weigh returns the weight of each endpoint of a record, or nil if all records
// are equal. The weight of a record is shared by the endpoints of its target. One
// of zero means a small chance beside others, and nothing if all are zero (RFC
// 2782).
func weigh(srvs []lookup.SRV, hosts map[string]found, grouped bool) []uint32 {
	none := !slices.ContainsFunc(srvs, func(r lookup.SRV) bool { return r.Weight > 0 })
	weights := make([]uint32, len(srvs))
	divided := false
	for i, r := range srvs {
		weights[i] = fine * uint32(r.Weight)
		if none {
			weights[i] = fine
		}
		if n := len(hosts[r.Target].addrs); n > 1 && !grouped {
			weights[i] /= uint32(n)
			divided = true
		}
		weights[i] = max(1, weights[i])
	}
	if slices.Min(weights) == slices.Max(weights) {
		return nil
	}
	if !divided && !slices.ContainsFunc(srvs, func(r lookup.SRV) bool { return r.Weight == 0 }) {
		for i := range weights {
			weights[i] /= fine
		}
	}
	return weights
}

// serverName returns the name that the certificate of a target's endpoints has
// to have, or "" for the channel's own.
func (s *source) serverName(target string) string {
	if !s.cfg.serverName {
		return ""
	}
	return strings.TrimSuffix(target, ".")
}

// rank orders endpoints at random, by weight, and always in the same way. Those
// of the family that comes second are all behind the others.
func (s *source) rank(e resolver.Endpoint) float64 {
	const second = 1e6 // more than any rank within a family
	u := s.uniform(e.Addresses[0].Addr)
	r := -math.Log(u) / float64(max(1, weight.FromEndpoint(e).Weight))
	if isV6(e) != s.v6First.Load() {
		r += second
	}
	return r
}
