package roundrobin

import (
	"google.golang.org/grpc/balancer"
	_ "google.golang.org/grpc/balancer/roundrobin" // registers first, so that this package replaces it
	"google.golang.org/grpc/grpclog"

	"github.com/evenkeel-grpc/evenkeel/endpoints"
	"github.com/evenkeel-grpc/evenkeel/registry"
)

// Name is the policy's name in the service config.
const Name = "round_robin"

// logger has grpc-go's component name for this policy.
var logger = grpclog.Component("roundrobin")

func init() {
	registry.Default.MustRegisterBalancer(builder{},
		registry.WithSummary("gives RPCs to the READY endpoints in turn"),
		registry.WithConfig(struct{}{}))
}

type builder struct{}

var _ balancer.Builder = builder{}

func (builder) Name() string { return Name }

func (builder) Build(cc balancer.ClientConn, opts balancer.BuildOptions) balancer.Balancer {
	return endpoints.New(cc, opts, endpoints.Policy{
		Name:      Name,
		Logger:    logger,
		NewPicker: func(r *endpoints.Ring) balancer.Picker { return &picker{ring: r} },
	})
}
