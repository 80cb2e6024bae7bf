package main

import (
	"sync/atomic"

	"google.golang.org/grpc/balancer"

	"github.com/evenkeel-grpc/evenkeel/endpoints"
	"github.com/evenkeel-grpc/evenkeel/registry"
)

// finished counts the RPCs that the counted policy has seen end.
var finished atomic.Int64

func init() {
	registry.Default.MustRegisterBalancer(countedBuilder{},
		registry.WithSummary("round_robin that counts finished RPCs"),
		registry.WithConfig(struct{}{}))
}

type countedBuilder struct{}

func (countedBuilder) Name() string { return "counted" }

func (countedBuilder) Build(cc balancer.ClientConn, opts balancer.BuildOptions) balancer.Balancer {
	return endpoints.New(cc, opts, endpoints.Policy{
		Name:      "counted",
		NewPicker: func(r *endpoints.Ring) balancer.Picker { return counted{r} },
	})
}

type counted struct{ ring *endpoints.Ring }

func (c counted) Pick(balancer.PickInfo) (balancer.PickResult, error) {
	sc := c.ring.Next()
	if sc == nil {
		return balancer.PickResult{}, balancer.ErrNoSubConnAvailable
	}
	return balancer.PickResult{SubConn: sc, Done: func(balancer.DoneInfo) { finished.Add(1) }}, nil
}
