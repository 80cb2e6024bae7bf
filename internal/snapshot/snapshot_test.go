package snapshot_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/grpc/attributes"
	"google.golang.org/grpc/resolver"

	"github.com/evenkeel-grpc/evenkeel/internal/snapshot"
)

func state(addr string) resolver.State {
	addrs := func() []resolver.Address { return []resolver.Address{{Addr: addr}, {Addr: addr + "0"}} }
	return resolver.State{
		Addresses: addrs(),
		Endpoints: []resolver.Endpoint{{Addresses: addrs()}, {}, {Addresses: addrs()[:1]}},
	}
}

var comparing = cmp.Options{cmp.AllowUnexported(attributes.Attributes{}), cmpopts.EquateEmpty()}

func TestACopyIsEqualAndKeepsNothingOfTheOriginal(t *testing.T) {
	s := state("a:1")
	snap := snapshot.State(s)
	if diff := cmp.Diff(s, snap, comparing); diff != "" {
		t.Errorf("copy (-original +copy):\n%s", diff)
	}
	s.Addresses[0].Addr = "x:1"
	s.Endpoints[0].Addresses[0].Addr = "x:1"
	s.Endpoints[2].Addresses[0].Addr = "x:1"
	s.Endpoints[1] = resolver.Endpoint{Addresses: s.Addresses}
	if diff := cmp.Diff(state("a:1"), snap, comparing); diff != "" {
		t.Errorf("copy after the original's slices were used again (-want +got):\n%s", diff)
	}
}

func TestAnAppendToOneEndpointOfACopyLeavesTheNextAlone(t *testing.T) {
	snap := snapshot.State(state("a:1"))
	snap.Endpoints[0].Addresses = append(snap.Endpoints[0].Addresses, resolver.Address{Addr: "x:1"})
	if got := snap.Endpoints[2].Addresses[0].Addr; got != "a:1" {
		t.Errorf("address of the endpoint after = %q, want %q", got, "a:1")
	}
}

func TestACopyCostsTwoAllocationsAndOneForTheAddressesOfTheState(t *testing.T) {
	s := state("a:1")
	for range 1000 {
		s.Endpoints = append(s.Endpoints, s.Endpoints[0])
	}
	if got := testing.AllocsPerRun(100, func() { snapshot.State(s) }); got != 3 {
		t.Errorf("allocations = %v, want 3", got)
	}
}
