package pickfirst

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/balancer/base"
	_ "google.golang.org/grpc/balancer/pickfirst" // registers first, so that this package replaces it
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/grpclog"
	"google.golang.org/grpc/resolver"

	"github.com/evenkeel-grpc/evenkeel/internal/leaf"
	"github.com/evenkeel-grpc/evenkeel/registry"
	"github.com/evenkeel-grpc/evenkeel/scstate"
)

// Name is the policy's name in the service config.
const Name = "pick_first"

var logger = grpclog.Component("pick-first-leaf-lb")

func init() {
	registry.Default.MustRegisterBalancer(builder{},
		registry.WithSummary("gives all RPCs to the first address that answers"),
		registry.WithConfig(strictConfig{}))
}

type builder struct{}

var (
	_ balancer.Builder      = builder{}
	_ balancer.ConfigParser = builder{}
)

func (builder) Name() string { return Name }

func (builder) Build(cc balancer.ClientConn, opts balancer.BuildOptions) balancer.Balancer {
	b := &pickFirst{cc: cc, target: opts.Target.String()}
	b.leaf.Init(b)
	return b
}

var (
	_ balancer.Balancer = (*pickFirst)(nil)
	_ leaf.Owner        = (*pickFirst)(nil)
)

// pickFirst is the policy around one leaf, which does the connecting.
type pickFirst struct {
	// Set by Build, then read-only.
	cc     balancer.ClientConn
	target string

	// Touched only by calls from the feed.
	leaf     leaf.Leaf
	health   bool
	resolved bool // the resolver's last list had addresses
	failback time.Duration
	timer    *time.Timer // of the next failback
}

// UpdateClientConnState implements balancer.Balancer.
func (b *pickFirst) UpdateClientConnState(s balancer.ClientConnState) error {
	if !hasAddresses(s.ResolverState) {
		b.resolved = false
		b.leaf.Fail(errors.New("name resolver error: produced zero addresses"))
		return balancer.ErrBadResolverState
	}
	cfg, ok := s.BalancerConfig.(Config)
	if !ok && s.BalancerConfig != nil {
		return fmt.Errorf("pickfirst: received illegal BalancerConfig (type %T): %v: %w",
			s.BalancerConfig, s.BalancerConfig, balancer.ErrBadResolverState)
	}
	b.health = healthListenerEnabled(s.ResolverState)
	if interval := time.Duration(cfg.Failback); interval != b.failback {
		b.failback = interval
		b.stopFailback() // The wait under way is the old one.
	}
	b.resolved = true
	// A copy: the list is the resolver's, who may change it after this call.
	b.leaf.Update(slices.Clone(leaf.Addresses(order(s.ResolverState, cfg))))
	b.scheduleFailback()
	return nil
}

// hasAddresses reports whether there is anything to connect to. Endpoints count
// for more than addresses, also if they have none.
func hasAddresses(s resolver.State) bool {
	if len(s.Endpoints) > 0 {
		return resolver.ValidateEndpoints(s.Endpoints) == nil
	}
	return len(s.Addresses) > 0
}

// order returns the endpoints in the order in which they are to be tried. Some
// parent policies pass on addresses only.
func order(s resolver.State, cfg Config) []resolver.Endpoint {
	list, useWeights := s.Endpoints, weighted
	if len(list) == 0 {
		useWeights = false // they are an endpoint's
		for i := range s.Addresses {
			list = append(list, resolver.Endpoint{Addresses: s.Addresses[i : i+1]})
		}
	}
	if cfg.ShuffleAddressList {
		return shuffle(list, useWeights)
	}
	return list
}

// ResolverError implements balancer.Balancer.
func (b *pickFirst) ResolverError(err error) {
	if b.resolved && b.leaf.State() != connectivity.TransientFailure {
		logger.Infof("pick_first: %s: resolver error ignored, the last list is still good: %v", b.target, err)
		return
	}
	// Only the text: a status inside would end even wait-for-ready RPCs.
	b.leaf.SetErr(fmt.Errorf("name resolver error: %v", err)) //nolint:errorlint // see above
}

// UpdateSubConnState implements balancer.Balancer. It is never called: all
// SubConns have listeners.
func (b *pickFirst) UpdateSubConnState(balancer.SubConn, balancer.SubConnState) {}

// ExitIdle implements balancer.Balancer.
func (b *pickFirst) ExitIdle() { b.leaf.ExitIdle() }

// Close implements balancer.Balancer.
func (b *pickFirst) Close() {
	b.stopFailback()
	b.leaf.Close()
}

// ClientConn implements leaf.Owner.
func (b *pickFirst) ClientConn() balancer.ClientConn { return b.cc }

// HealthListener implements leaf.Owner.
func (b *pickFirst) HealthListener() bool { return b.health }

// Report implements leaf.Owner.
func (b *pickFirst) Report(from connectivity.State) {
	to := b.leaf.State()
	if from != to && logger.V(2) {
		logger.Infof("pick_first: %s: %v -> %v %v", b.target, from, to, b.leaf.Err())
	}
	b.scheduleFailback()
	b.cc.UpdateState(balancer.State{ConnectivityState: to, Picker: scstate.Direct(b.picker())})
}

func (b *pickFirst) picker() balancer.Picker {
	switch b.leaf.State() {
	case connectivity.Ready:
		return &readyPicker{balancer.PickResult{SubConn: b.leaf.Conn().SubConn()}}
	case connectivity.Idle:
		return &idlePicker{exitIdle: sync.OnceFunc(func() { scstate.Post(b.cc, b.leaf.ExitIdle) })}
	case connectivity.TransientFailure:
		// A plain error: fail-fast RPCs end as UNAVAILABLE, others wait.
		return base.NewErrPicker(b.leaf.Err())
	default:
		return base.NewErrPicker(balancer.ErrNoSubConnAvailable)
	}
}

// readyPicker gives every RPC to the connection.
type readyPicker struct{ result balancer.PickResult }

func (p *readyPicker) Pick(balancer.PickInfo) (balancer.PickResult, error) { return p.result, nil }

// idlePicker makes the first RPC start connecting.
type idlePicker struct{ exitIdle func() }

func (p *idlePicker) Pick(balancer.PickInfo) (balancer.PickResult, error) {
	p.exitIdle()
	return balancer.PickResult{}, balancer.ErrNoSubConnAvailable
}
