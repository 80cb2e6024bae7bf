package watch

import (
	"cmp"
	"slices"
	"strings"

	"google.golang.org/grpc/resolver"
)

// tidy returns list sorted by rank, if there is one, and address, without
// endpoints that have no address and with the first of those that have the same
// ones, in whatever order. That is also what grpc takes for the same endpoint.
// It returns list itself if that is how it is.
func tidy(list []resolver.Endpoint, rank func(resolver.Endpoint) float64) []resolver.Endpoint {
	if rank == nil && isTidy(list) {
		return list
	}
	keyed := make([]keyedEndpoint, 0, len(list))
	for _, e := range list {
		if len(e.Addresses) > 0 {
			keyed = append(keyed, keyedEndpoint{key(e.Addresses), 0, e})
		}
	}
	slices.SortStableFunc(keyed, func(a, b keyedEndpoint) int { return cmp.Compare(a.key, b.key) })
	keyed = slices.CompactFunc(keyed, func(a, b keyedEndpoint) bool { return a.key == b.key })
	if rank != nil {
		for i := range keyed {
			keyed[i].rank = rank(keyed[i].Endpoint)
		}
		slices.SortStableFunc(keyed, func(a, b keyedEndpoint) int { return cmp.Compare(a.rank, b.rank) })
	}

	tidied := make([]resolver.Endpoint, len(keyed))
	for i, k := range keyed {
		tidied[i] = k.Endpoint
	}
	return tidied
}

// isTidy tells whether list is sorted by address, has no duplicate and no endpoint
// without address. A source with many endpoints can keep them like that for far
// less than it costs to sort them each time.
func isTidy(list []resolver.Endpoint) bool {
	last := ""
	for i, e := range list {
		if len(e.Addresses) == 0 {
			return false
		}
		k := key(e.Addresses)
		if i > 0 && k <= last {
			return false
		}
		last = k
	}
	return true
}

type keyedEndpoint struct {
	key  string
	rank float64
	resolver.Endpoint
}

// key is the same for addresses that differ in order only.
func key(addrs []resolver.Address) string {
	if len(addrs) == 1 {
		return addrs[0].Addr
	}
	all := make([]string, len(addrs))
	for i, a := range addrs {
		all[i] = a.Addr
	}
	slices.Sort(all)
	return strings.Join(all, "\x00")
}

// same tells whether a channel could notice the difference between two states.
func same(a, b resolver.State) bool {
	return equal(a.Endpoints, b.Endpoints) && a.ServiceConfig == b.ServiceConfig && a.Attributes.Equal(b.Attributes)
}

// equal tells whether a channel could notice the difference between two tidied
// lists.
func equal(a, b []resolver.Endpoint) bool {
	return slices.EqualFunc(a, b, equalEndpoint)
}

func equalEndpoint(a, b resolver.Endpoint) bool {
	if len(a.Addresses) == len(b.Addresses) && &a.Addresses[0] == &b.Addresses[0] && a.Attributes == b.Attributes {
		return true // the very same, as most are after a small change
	}
	return a.Attributes.Equal(b.Attributes) &&
		slices.EqualFunc(a.Addresses, b.Addresses, resolver.Address.Equal)
}

// addresses is the same list for policies that do not know endpoints.
func addresses(list []resolver.Endpoint) []resolver.Address {
	flat := make([]resolver.Address, 0, len(list))
	for _, e := range list {
		flat = append(flat, e.Addresses...)
	}
	return flat
}
