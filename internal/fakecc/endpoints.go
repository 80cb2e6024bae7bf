package fakecc

import "google.golang.org/grpc/resolver"

// Singles returns one endpoint for each address.
func Singles(addrs ...string) []resolver.Endpoint {
	var list []resolver.Endpoint
	for _, a := range addrs {
		list = append(list, Multi(a))
	}
	return list
}

// Multi returns one endpoint with several addresses.
func Multi(addrs ...string) resolver.Endpoint {
	var e resolver.Endpoint
	for _, a := range addrs {
		e.Addresses = append(e.Addresses, resolver.Address{Addr: a})
	}
	return e
}
