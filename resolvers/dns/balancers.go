package dns

import (
	"context"
	"net"
	"slices"
	"strings"

	"google.golang.org/grpc/attributes"
	grpclbstate "google.golang.org/grpc/balancer/grpclb/state"
	"google.golang.org/grpc/resolver"

	"github.com/evenkeel-grpc/evenkeel/resolvers/dns/internal/lookup"
)

// balancerName comes before the host in the name of the SRV records.
const balancerName = "_grpclb._tcp."

// metadataHost has no balancers, and some resolvers take long to say so.
const metadataHost = "metadata.google.internal"

// balancers looks for the look-aside balancers of a name, for the policy grpclb.
// What cannot be looked up keeps its last good answer. It returns nil if there are
// none.
func (s *source) balancers(ctx context.Context, name string) *attributes.Attributes {
	if !s.grpclb || s.cfg.srv || strings.TrimSuffix(s.cfg.host, ".") == metadataHost {
		return nil
	}
	var srvs []lookup.SRV
	for _, n := range s.namesAt(balancerName, name) {
		if srvs = s.memory.ask(ctx, lookup.Question{Name: n, Type: lookup.TypeSRV}).SRVs; len(srvs) > 0 {
			break
		}
	}
	hosts := s.targets(ctx, srvs)
	var addrs []resolver.Address
	for _, group := range byPriority(srvs) {
		for _, r := range group {
			for _, ip := range hosts[r.Target].addrs {
				addrs = append(addrs, resolver.Address{
					Addr:       net.JoinHostPort(ip.String(), port(r.Port)),
					ServerName: strings.TrimSuffix(r.Target, "."),
				})
			}
		}
	}
	if len(addrs) == 0 {
		return nil
	}
	return s.lb.attributes(addrs)
}

// balancerState gives the same addresses in any order the same attributes, so
// that they are no change.
type balancerState struct {
	addrs []resolver.Address
	attrs *attributes.Attributes
}

func (b *balancerState) attributes(addrs []resolver.Address) *attributes.Attributes {
	slices.SortFunc(addrs, func(a, b resolver.Address) int { return strings.Compare(a.Addr, b.Addr) })
	if b.attrs == nil || !slices.EqualFunc(addrs, b.addrs, resolver.Address.Equal) {
		b.addrs = addrs
		b.attrs = grpclbstate.Set(resolver.State{}, &grpclbstate.State{BalancerAddresses: addrs}).Attributes
	}
	return b.attrs
}
