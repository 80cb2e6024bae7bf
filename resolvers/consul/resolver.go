package consul

import (
	"errors"
	"fmt"
	"net/url"
	"sync"

	"github.com/hashicorp/consul/api"
	"google.golang.org/grpc/grpclog"
	"google.golang.org/grpc/resolver"

	"github.com/evenkeel-grpc/evenkeel/registry"
	"github.com/evenkeel-grpc/evenkeel/resolvers/internal/watch"
)

// Scheme is what targets for this resolver begin with.
const Scheme = "consul"

var logger = grpclog.Component("consul")

func init() {
	registry.Default.MustRegisterResolver(NewBuilder(), registry.WithSummary("follows a Consul service"))
}

var (
	_ resolver.Builder       = (*builder)(nil)
	_ registry.TargetChecker = (*builder)(nil)
	_ registry.TargetSealer  = (*builder)(nil)
)

// Option changes what [NewBuilder] returns.
type Option interface{ apply(*builder) }

type optionFunc func(*builder)

func (f optionFunc) apply(b *builder) { f(b) }

// WithClient makes the resolvers use c, for targets that say nothing about how
// to reach Consul. It stays the caller's. If its HTTP client has a timeout, the
// target's wait must be shorter.
func WithClient(c *api.Client) Option {
	return optionFunc(func(b *builder) { b.client = c })
}

// WithConfig makes the resolvers use clients made from cfg. What a target says
// comes first, and what neither says is in the environment, as always with
// api.NewClient. cfg must not be changed any more. A transport in it is copied, an
// HTTP client used as it is.
func WithConfig(cfg *api.Config) Option {
	return optionFunc(func(b *builder) { b.config = cfg })
}

type builder struct {
	client *api.Client // the user's, or nil
	config *api.Config // the user's, or nil
}

// NewBuilder returns a builder for one or more channels, to be given to them
// through grpc.WithResolvers. A program that needs no option imports this
// package and nothing else.
func NewBuilder(opts ...Option) resolver.Builder {
	b := &builder{}
	for _, o := range opts {
		if o != nil {
			o.apply(b)
		}
	}
	return b
}

func (*builder) Scheme() string { return Scheme }

func (b *builder) CheckTarget(t resolver.Target) error {
	if _, err := b.parse(t); err != nil {
		return fmt.Errorf("consul: %w", err)
	}
	return nil
}

// SealTarget replaces the password and the token, if there are any.
func (*builder) SealTarget(target url.URL) (url.URL, bool) { return seal(target) }

// key is what channels have in common that share a source.
type key struct {
	from  origin
	query query
}

// hubs runs the sources of this process.
var hubs watch.Hubs[key]

// Build starts a resolver. It fails only if the target is not one of ours: grpc
// would not build again for any other reason.
func (b *builder) Build(t resolver.Target, cc resolver.ClientConn, _ resolver.BuildOptions) (resolver.Resolver, error) {
	cfg, err := b.parse(t)
	if err != nil {
		return nil, fmt.Errorf("consul: target %q: %w", redact(t.URL), err)
	}
	if cfg.access.exposed {
		warnOnce()
	}
	from := origin{access: cfg.access}
	if b.client != nil || b.config != nil {
		from.builder = b
	}
	return hubs.Start(cc, key{from, cfg.query}, func() watch.Source { return newSource(from, cfg.query) }, watch.Config{
		Name:       fmt.Sprintf("consul: %q", cfg.query.name),
		Grace:      cfg.grace,
		Logger:     logger,
		Rank:       cfg.query.rank(),
		MaxBackoff: cfg.maxBackoff,

		KeepServiceConfig: true,
	}), nil
}

// warnOnce tells those who put a secret where it can be seen.
var warnOnce = sync.OnceFunc(func() {
	logger.Warning("a target with a token or password: grpc shows it in its log and in channelz; dial with evenkeel.NewClient, or use token-file or the environment")
})

// parse reads the target and checks it against the options.
func (b *builder) parse(t resolver.Target) (config, error) {
	cfg, err := parseTarget(t.URL)
	switch {
	case err != nil:
		return config{}, err
	case b.client != nil && b.config != nil:
		return config{}, errors.New("WithClient and WithConfig: want one of them")
	case b.client != nil && !cfg.access.isZero():
		return config{}, errors.New("a client from WithClient, and a target that says how to reach Consul (want one of them; with a client write consul:///service)")
	}
	return cfg, nil
}

// rank orders endpoints as Consul did if the target says what to be near to.
func (q query) rank() func(resolver.Endpoint) float64 {
	if q.near == "" {
		return nil
	}
	return func(e resolver.Endpoint) float64 {
		i, _ := e.Attributes.Value(instanceKey{}).(*Instance)
		return float64(i.position)
	}
}
