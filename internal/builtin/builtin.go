// Package builtin has grpc-go's own round_robin and pick_first as they are when
// nothing has replaced them, for tests and benchmarks that run them beside ours.
//
// # Use
//
//	pf, err := builtin.PickFirst()
//
// in a program that imports our plugin of that name.
//
// # Concurrency
//
// The functions and the builders are safe for concurrent use.
package builtin

import (
	"fmt"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/balancer/endpointsharding"
	"google.golang.org/grpc/balancer/pickfirst"

	"github.com/evenkeel-grpc/evenkeel/registry"
)

// PickFirst returns grpc-go's pick_first. The error says that no plugin of ours
// has replaced it.
func PickFirst() (balancer.Builder, error) {
	b, ok := registry.Default.ReplacedBalancer(pickfirst.Name)
	if !ok {
		return nil, fmt.Errorf("builtin: the registry has no %s that was replaced: is our package of that name imported?", pickfirst.Name)
	}
	return b, nil
}

// RoundRobin returns grpc-go's round_robin over grpc-go's pick_first, under the
// name "grpc_round_robin". The original cannot be used: it looks pick_first up
// by name and would get ours. Its errors are those of [PickFirst].
func RoundRobin() (balancer.Builder, error) {
	pf, err := PickFirst()
	if err != nil {
		return nil, err
	}
	return &roundRobin{pf}, nil
}

type roundRobin struct{ pickFirst balancer.Builder }

var _ balancer.Builder = (*roundRobin)(nil)

func (*roundRobin) Name() string { return "grpc_round_robin" }

func (b *roundRobin) Build(cc balancer.ClientConn, opts balancer.BuildOptions) balancer.Balancer {
	return &healthListening{endpointsharding.NewBalancer(cc, opts, b.pickFirst.Build, endpointsharding.Options{})}
}

// healthListening is all that grpc-go's round_robin adds to endpointsharding.
type healthListening struct{ balancer.Balancer }

func (b *healthListening) UpdateClientConnState(s balancer.ClientConnState) error {
	return b.Balancer.UpdateClientConnState(balancer.ClientConnState{
		ResolverState: pickfirst.EnableHealthListener(s.ResolverState),
	})
}
