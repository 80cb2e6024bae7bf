package dns

import (
	"hash/maphash"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/grpc/resolver"
)

// endpoint is the endpoint with one address.
func endpoint(addr netip.Addr, port string) resolver.Endpoint {
	return resolver.Endpoint{Addresses: []resolver.Address{{Addr: net.JoinHostPort(addr.String(), port)}}}
}

// endpoints returns one endpoint for each address, or one for all of them.
func (s *source) endpoints(addrs []netip.Addr, port, serverName string) []resolver.Endpoint {
	sorted := slices.Clone(addrs)
	slices.SortFunc(sorted, func(a, b netip.Addr) int { return b.Compare(a) }) // IPv6 first
	list := make([]resolver.Endpoint, 0, len(sorted))
	for _, a := range slices.Compact(sorted) {
		e := endpoint(a, port)
		e.Addresses[0].ServerName = serverName
		if s.cfg.groupHost && len(list) > 0 {
			list[0].Addresses = append(list[0].Addresses, e.Addresses...)
		} else {
			list = append(list, e)
		}
	}
	return list
}

func port(n uint16) string { return strconv.Itoa(int(n)) }

func isV6(e resolver.Endpoint) bool { return strings.HasPrefix(e.Addresses[0].Addr, "[") }

// uniform returns a number between 0 and 1, without them, that depends on the
// resolver and the text.
func (s *source) uniform(text string) float64 {
	return (float64(maphash.String(s.seed, text)>>11) + 0.5) / (1 << 53)
}

// hasRoute tells whether this host can send to an address. Connecting a UDP
// socket sends nothing.
func hasRoute(addr string) bool {
	conn, err := net.Dial("udp", addr) //nolint:noctx // it does not block
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

// chooseFamily notes which family of list comes first: IPv6 if there is a route.
func (s *source) chooseFamily(list []resolver.Endpoint) {
	i := slices.IndexFunc(list, isV6)
	s.v6First.Store(i >= 0 && hasRoute(list[i].Addresses[0].Addr))
}
