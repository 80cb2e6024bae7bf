package main

import (
	"google.golang.org/grpc/balancer"

	"github.com/evenkeel-grpc/evenkeel/balancers/pickfirst"
	"github.com/evenkeel-grpc/evenkeel/balancers/roundrobin"
	"github.com/evenkeel-grpc/evenkeel/internal/builtin"
	"github.com/evenkeel-grpc/evenkeel/registry"
)

// ourName is the name of our side.
const ourName = "evenkeel"

// side is one of the two implementations that are compared.
type side struct {
	name       string
	roundRobin balancer.Builder
	pickFirst  balancer.Builder
	// policy is the name under which the census has roundRobin for channels.
	policy string
}

// sides returns grpc-go's policies and ours.
func sides() (grpcGo, evenkeel *side, err error) {
	grpcGo = &side{name: "grpc-go", policy: "census_grpc_round_robin"}
	evenkeel = &side{name: ourName, policy: "census_evenkeel_round_robin"}
	for _, b := range []struct {
		at  *balancer.Builder
		get func() (balancer.Builder, error)
	}{
		{&grpcGo.pickFirst, builtin.PickFirst},
		{&grpcGo.roundRobin, builtin.RoundRobin},
		{&evenkeel.pickFirst, ours(pickfirst.Name)},
		{&evenkeel.roundRobin, ours(roundrobin.Name)},
	} {
		if *b.at, err = b.get(); err != nil {
			return nil, nil, err
		}
	}
	return grpcGo, evenkeel, nil
}

func ours(policy string) func() (balancer.Builder, error) {
	return func() (balancer.Builder, error) { return registry.Default.Balancer(policy) }
}
