package v1adapter

import (
	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/grpclog"

	"github.com/evenkeel-grpc/evenkeel/registry"
	"github.com/evenkeel-grpc/evenkeel/scstate"
)

// Name is the policy that [WithBalancer], [DialOptions] and [DialOptionsFunc]
// select. It is of no use in a service config that somebody writes.
const Name = "v1adapter"

var logger = grpclog.Component("v1adapter")

func init() {
	registry.Default.MustRegisterBalancer(&optionBuilder{},
		registry.WithFeed(scstate.Detached()),
		registry.WithSummary("runs a balancer written for grpc-go's removed v1 API"),
		registry.WithConfig(config{}),
		registry.WithStatsHandler(statsHandler{}))
}

// NewBuilder returns a builder to be registered under name, after which service
// configs can select the v1 balancers that newBalancer returns: one for each
// channel, and another one when a channel comes back from idle. The policy has
// no config. What it builds has a detached feed, however it is registered.
func NewBuilder(name string, newBalancer func() Balancer) balancer.Builder {
	return scstate.Wrap(&builder{name: name, source: factory(newBalancer)}, scstate.Detached())
}

var _ balancer.Builder = (*builder)(nil)

// builder builds adapters for v1 balancers of one kind.
type builder struct {
	name   string
	source *source
}

func (b *builder) Name() string { return b.name }

func (b *builder) Build(cc balancer.ClientConn, opts balancer.BuildOptions) balancer.Balancer {
	return newAdapter(cc, opts, b.source)
}
