package watch

import (
	"cmp"
	"slices"
	"strings"

	"google.golang.org/grpc/resolver"
)

// tidy returns list sorted by address, without endpoints that have no address and
// with the first of those that have the same ones, in whatever order. That is also
// what grpc takes for the same endpoint. It returns list itself if that is how it
// is.
func tidy(list []resolver.Endpoint) []resolver.Endpoint {
	if isTidy(list) {
		return list
	}
	keyed := make([]keyedEndpoint, 0, len(list))
	for _, e := range list {
		if len(e.Addresses) > 0 {
			keyed = append(keyed, keyedEndpoint{key(e.Addresses), e})
		}
	}
	slices.SortStableFunc(keyed, func(a, b keyedEndpoint) int { return cmp.Compare(a.key, b.key) })
	keyed = slices.CompactFunc(keyed, func(a, b keyedEndpoint) bool { return a.key == b.key })

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
	key string
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

// steady returns list with the attributes of last where the two are equal. Both
// lists are tidied, and neither changes. Some policies, grpclb among them, compare
// addresses with ==: equal attributes behind another pointer would cost them the
// connection.
func steady(list, last []resolver.Endpoint) []resolver.Endpoint {
	steadied := list
	for i, j := 0, 0; i < len(list) && j < len(last); {
		e, old := list[i], last[j]
		order := 0
		if &e.Addresses[0] != &old.Addresses[0] { // most are the very same after a small change
			order = cmp.Compare(key(e.Addresses), key(old.Addresses))
		}
		if order == 0 && e.Attributes != old.Attributes && e.Attributes.Equal(old.Attributes) {
			if &steadied[0] == &list[0] {
				steadied = slices.Clone(list)
			}
			steadied[i].Attributes = old.Attributes
		}
		if order <= 0 {
			i++
		}
		if order >= 0 {
			j++
		}
	}
	return steadied
}

// ranked returns list sorted by rank, if there is one. Endpoints with the same rank
// keep their order. The ranks are those of fresh, which is list before steady: equal
// attributes may differ in the order that the source gives.
func ranked(list, fresh []resolver.Endpoint, rank func(resolver.Endpoint) float64) []resolver.Endpoint {
	if rank == nil {
		return list
	}
	type place struct {
		rank  float64
		index int
	}
	places := make([]place, len(list))
	for i, e := range fresh {
		places[i] = place{rank(e), i}
	}
	slices.SortStableFunc(places, func(a, b place) int { return cmp.Compare(a.rank, b.rank) })
	sorted := make([]resolver.Endpoint, len(list))
	for i, p := range places {
		sorted[i] = list[p.index]
	}
	return sorted
}

// Addresses returns copies of the addresses in list, for policies that know no
// endpoints. The BalancerAttributes of each are the attributes of its endpoint.
// They replace the address's own, which grpc deprecates inside an endpoint.
func Addresses(list []resolver.Endpoint) []resolver.Address {
	flat := make([]resolver.Address, 0, len(list))
	for _, e := range list {
		for _, a := range e.Addresses {
			a.BalancerAttributes = e.Attributes //nolint:staticcheck // deprecated inside endpoints only
			flat = append(flat, a)
		}
	}
	return flat
}
