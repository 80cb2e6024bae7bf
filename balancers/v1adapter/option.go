package v1adapter

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"unsafe"

	"google.golang.org/grpc"
	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/serviceconfig"
)

// WithBalancer makes a channel use a v1 balancer, as grpc-go's option of that
// name did. It is for one channel, and it is the channel's default service
// config, so it cannot be combined with grpc.WithDefaultServiceConfig.
//
// One option cannot do all that is wanted. With grpc.NewClient and grpc.Dial, Get
// does not learn which RPCs are wait-for-ready, a channel that was idle fails its
// RPCs, and grpc.NewClient looks up a target without passthrough:/// in DNS
// first. [DialOptions] has none of that. evenkeel.NewClient takes WithBalancer
// for DialOptions.
func WithBalancer(b Balancer) grpc.DialOption {
	return balancerOption{selecting(single(b))}
}

// balancerOption is WithBalancer to grpc, and DialOptions to evenkeel.NewClient.
type balancerOption struct{ grpc.DialOption }

// DialOptions returns what the option stands for.
func (o balancerOption) DialOptions() []grpc.DialOption { return dialOptions(o.DialOption) }

// DialOptions returns the options that make one channel use a v1 balancer, with
// BlockingWait set for exactly the wait-for-ready RPCs. A target without a
// scheme, or with dns, goes to Start without being looked up. The options keep
// the channel from going idle, as channels never did when there were v1
// balancers, because b cannot be started again; see [DialOptionsFunc]. Like
// [WithBalancer] they include the default service config.
func DialOptions(b Balancer) []grpc.DialOption {
	return dialOptions(selecting(single(b)))
}

// DialOptionsFunc is [DialOptions] for any number of channels, which may go
// idle: each gets a balancer from newBalancer whenever it leaves idle.
func DialOptionsFunc(newBalancer func() Balancer) []grpc.DialOption {
	return common(selecting(factory(newBalancer)))
}

func dialOptions(selecting grpc.DialOption) []grpc.DialOption {
	return append(common(selecting), grpc.WithIdleTimeout(0))
}

// common are the options that all channels of a v1 balancer should have.
func common(selecting grpc.DialOption) []grpc.DialOption {
	return []grpc.DialOption{selecting, grpc.WithStatsHandler(statsHandler{}), grpc.WithResolvers(noLookup{})}
}

// sources has what the selecting options in use select. grpc's registry of
// balancers can only grow while the program initialises, so there is one policy,
// and its config names the source.
var sources sync.Map // string -> *source

var lastSource atomic.Uint64

// selecting returns the option that selects s. A channel may be dialed with it
// at any time, or never, and grpc says neither: so s stays in sources exactly
// as long as something refers to the config that names it.
func selecting(s *source) grpc.DialOption {
	id := strconv.FormatUint(lastSource.Add(1), 10)
	sources.Store(id, s)
	js := fmt.Sprintf(`{"loadBalancingConfig":[{%q:{"instance":%q}}]}`, Name, id)
	runtime.AddCleanup(unsafe.StringData(js), func(id string) { sources.Delete(id) }, id) //nolint:gosec // only to say whose memory it is
	return grpc.WithDefaultServiceConfig(js)
}

// config is the policy's config.
type config struct {
	serviceconfig.LoadBalancingConfig `json:"-"`

	// Instance is the name of a source.
	Instance string `json:"instance"`

	source *source
}

var (
	_ balancer.Builder      = (*optionBuilder)(nil)
	_ balancer.ConfigParser = (*optionBuilder)(nil)
)

// optionBuilder builds the adapters that dial options select.
type optionBuilder struct{}

func (*optionBuilder) Name() string { return Name }

func (*optionBuilder) Build(cc balancer.ClientConn, opts balancer.BuildOptions) balancer.Balancer {
	return newAdapter(cc, opts, nil)
}

// ParseConfig finds the source, and keeps it for the channel.
func (*optionBuilder) ParseConfig(js json.RawMessage) (serviceconfig.LoadBalancingConfig, error) {
	var c config
	if err := json.Unmarshal(js, &c); err != nil {
		return nil, fmt.Errorf("v1adapter: config %s: %w", js, err)
	}
	s, ok := sources.Load(c.Instance)
	if !ok {
		return nil, fmt.Errorf("v1adapter: no instance %q: select a balancer with WithBalancer, DialOptions or DialOptionsFunc; "+
			"for a service config, register NewBuilder's under a name", c.Instance)
	}
	c.source, _ = s.(*source)
	return c, nil
}
