package main

import (
	"fmt"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/balancer/endpointsharding"
	"google.golang.org/grpc/balancer/pickfirst"

	ourpickfirst "github.com/evenkeel-grpc/evenkeel/balancers/pickfirst"
	ourroundrobin "github.com/evenkeel-grpc/evenkeel/balancers/roundrobin"
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
	builtIn, ok := registry.Default.ReplacedBalancer(ourpickfirst.Name)
	if !ok {
		return nil, nil, fmt.Errorf("bench: pick_first: the registry has no built-in that %s replaced", ourpickfirst.Name)
	}
	pf, err := registry.Default.Balancer(ourpickfirst.Name)
	if err != nil {
		return nil, nil, err
	}
	rr, err := registry.Default.Balancer(ourroundrobin.Name)
	if err != nil {
		return nil, nil, err
	}
	grpcGo = &side{"grpc-go", &grpcRoundRobin{builtIn}, builtIn, "census_grpc_round_robin"}
	evenkeel = &side{ourName, rr, pf, "census_evenkeel_round_robin"}
	return grpcGo, evenkeel, nil
}

// grpcRoundRobin is grpc-go's round_robin as it is when nothing is replaced. The
// original cannot be used: it looks pick_first up by name and would get ours.
type grpcRoundRobin struct{ pickFirst balancer.Builder }

var _ balancer.Builder = (*grpcRoundRobin)(nil)

func (*grpcRoundRobin) Name() string { return "grpc_round_robin" }

func (b *grpcRoundRobin) Build(cc balancer.ClientConn, opts balancer.BuildOptions) balancer.Balancer {
	return &healthListening{endpointsharding.NewBalancer(cc, opts, b.pickFirst.Build, endpointsharding.Options{})}
}

// healthListening is all that grpc-go's round_robin adds to endpointsharding.
type healthListening struct{ balancer.Balancer }

func (b *healthListening) UpdateClientConnState(s balancer.ClientConnState) error {
	return b.Balancer.UpdateClientConnState(balancer.ClientConnState{
		ResolverState: pickfirst.EnableHealthListener(s.ResolverState),
	})
}
