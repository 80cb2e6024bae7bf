// Package snapshot copies what a resolver found. The slices of a resolver.State
// belong to the resolver, which may use them again for its next one: whoever
// keeps them beyond the call, or compares with them, needs a copy.
//
// A copy of N endpoints costs two allocations, however many addresses they have.
// Attributes are shared: nobody can change them.
package snapshot

import (
	"slices"

	"google.golang.org/grpc/resolver"
)

// State returns a copy of s.
func State(s resolver.State) resolver.State {
	s.Addresses = slices.Clone(s.Addresses)
	s.Endpoints = Endpoints(s.Endpoints)
	return s
}

// Endpoints returns a copy of list, with the addresses of all endpoints in one
// array.
func Endpoints(list []resolver.Endpoint) []resolver.Endpoint {
	n := 0
	for i := range list {
		n += len(list[i].Addresses)
	}
	list = slices.Clone(list)
	flat := make([]resolver.Address, 0, n)
	for i := range list {
		first := len(flat)
		flat = append(flat, list[i].Addresses...)
		list[i].Addresses = flat[first:len(flat):len(flat)]
	}
	return list
}
