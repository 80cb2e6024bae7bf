package leaf

import (
	"net"
	"net/netip"
	"slices"

	"google.golang.org/grpc/resolver"
)

// Addresses returns the addresses of the endpoints in the order in which they
// are to be tried: one endpoint after the other, each address once (the first
// stays), the address families taking turns from the first one's (RFC 8305
// section 4). The result may share memory with the endpoints.
func Addresses(endpoints []resolver.Endpoint) []resolver.Address {
	if len(endpoints) == 1 && len(endpoints[0].Addresses) < 2 {
		return endpoints[0].Addresses
	}
	var list []resolver.Address
	seen := resolver.NewAddressMapV2[bool]()
	for _, e := range endpoints {
		for _, a := range e.Addresses {
			if _, ok := seen.Get(a); !ok {
				seen.Set(a, true)
				list = append(list, a)
			}
		}
	}
	return interleave(list)
}

type family uint8

const (
	unknown family = iota // a host name, a Unix socket
	ipv4
	ipv6
)

func familyOf(addr string) family {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return unknown
	}
	ip, err := netip.ParseAddr(host)
	switch {
	case err != nil:
		return unknown
	case ip.Is4(), ip.Is4In6():
		return ipv4
	default:
		return ipv6
	}
}

// interleave takes one address of each family in turn, families in the order of
// their first appearance.
func interleave(addrs []resolver.Address) []resolver.Address {
	var order []family
	groups := map[family][]resolver.Address{}
	for _, a := range addrs {
		f := familyOf(a.Addr)
		if groups[f] == nil {
			order = append(order, f)
		}
		groups[f] = append(groups[f], a)
	}
	if len(order) < 2 {
		return addrs
	}
	mixed := make([]resolver.Address, 0, len(addrs))
	for len(mixed) < len(addrs) {
		for _, f := range order {
			if g := groups[f]; len(g) > 0 {
				mixed = append(mixed, g[0])
				groups[f] = g[1:]
			}
		}
	}
	return mixed
}

// sameAddress reports whether a connection to a serves for b: attributes that
// are for balancers do not matter.
func sameAddress(a, b *resolver.Address) bool {
	return a.Addr == b.Addr && a.ServerName == b.ServerName && a.Attributes.Equal(b.Attributes)
}

// sameAddresses reports whether both lists have the same addresses in the same
// order.
func sameAddresses(a, b []resolver.Address) bool {
	return slices.EqualFunc(a, b, func(a, b resolver.Address) bool { return sameAddress(&a, &b) })
}

// finder returns a function that finds an address's index in addrs, or -1.
func finder(addrs []resolver.Address) func(*resolver.Address) int {
	if len(addrs) <= 4 {
		return func(a *resolver.Address) int {
			for i := range addrs {
				if sameAddress(a, &addrs[i]) {
					return i
				}
			}
			return -1
		}
	}
	index := resolver.NewAddressMapV2[int]()
	for i, a := range addrs {
		index.Set(a, i)
	}
	return func(a *resolver.Address) int {
		if i, ok := index.Get(*a); ok {
			return i
		}
		return -1
	}
}
