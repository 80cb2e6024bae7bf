package leaf

import (
	"slices"
	"testing"

	"google.golang.org/grpc/attributes"
	"google.golang.org/grpc/resolver"
)

func TestAddressesOrder(t *testing.T) {
	for name, tt := range map[string]struct {
		endpoints [][]string
		want      []string
	}{
		"endpoints one after the other":              {[][]string{{"10.0.0.1:1", "10.0.0.2:1"}, {"10.0.0.3:1"}}, []string{"10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"}},
		"each address once, the first stays":         {[][]string{{"10.0.0.1:1", "10.0.0.2:1"}, {"10.0.0.1:1"}}, []string{"10.0.0.1:1", "10.0.0.2:1"}},
		"families take turns from IPv4":              {[][]string{{"10.0.0.1:1", "10.0.0.2:1", "[::1]:1", "[::2]:1"}}, []string{"10.0.0.1:1", "[::1]:1", "10.0.0.2:1", "[::2]:1"}},
		"families take turns from IPv6":              {[][]string{{"[::1]:1", "10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"}}, []string{"[::1]:1", "10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"}},
		"names are a family of their own":            {[][]string{{"a:1", "b:1", "10.0.0.1:1", "[::1]:1", "c"}}, []string{"a:1", "10.0.0.1:1", "[::1]:1", "b:1", "c"}},
		"a mapped IPv4 address counts as IPv4":       {[][]string{{"[::ffff:10.0.0.1]:1", "10.0.0.2:1", "[::1]:1"}}, []string{"[::ffff:10.0.0.1]:1", "[::1]:1", "10.0.0.2:1"}},
		"an endpoint without addresses adds nothing": {[][]string{{}, {"a:1"}}, []string{"a:1"}},
	} {
		t.Run(name, func(t *testing.T) {
			var list []resolver.Endpoint
			for _, addrs := range tt.endpoints {
				var e resolver.Endpoint
				for _, a := range addrs {
					e.Addresses = append(e.Addresses, resolver.Address{Addr: a})
				}
				list = append(list, e)
			}
			var got []string
			for _, a := range Addresses(list) {
				got = append(got, a.Addr)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("Addresses(%q) = %q, want %q", tt.endpoints, got, tt.want)
			}
		})
	}
}

func TestAddressIdentity(t *testing.T) {
	base := resolver.Address{Addr: "a:1"}
	for name, tt := range map[string]struct {
		other resolver.Address
		same  bool
	}{
		"the same":                       {resolver.Address{Addr: "a:1"}, true},
		"another server name":            {resolver.Address{Addr: "a:1", ServerName: "x"}, false},
		"other attributes":               {resolver.Address{Addr: "a:1", Attributes: attributes.New("k", 1)}, false},
		"other attributes for balancers": {resolver.Address{Addr: "a:1", BalancerAttributes: attributes.New("k", 1)}, true},
		"other metadata":                 {resolver.Address{Addr: "a:1", Metadata: 1}, true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := sameAddress(&base, &tt.other); got != tt.same {
				t.Errorf("sameAddress = %v, want %v", got, tt.same)
			}
			for _, n := range []int{1, 10} { // both ways of looking up
				list := make([]resolver.Address, n)
				list[n-1] = tt.other
				if got := finder(list)(&base) == n-1; got != tt.same {
					t.Errorf("found among %d = %v, want %v", n, got, tt.same)
				}
			}
		})
	}
}
