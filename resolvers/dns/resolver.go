package dns

import (
	"crypto/tls"
	"fmt"
	"time"

	"google.golang.org/grpc/grpclog"
	"google.golang.org/grpc/resolver"
	_ "google.golang.org/grpc/resolver/dns" // grpc-go's own registers before ours.

	"github.com/evenkeel-grpc/evenkeel/registry"
	"github.com/evenkeel-grpc/evenkeel/resolvers/dns/internal/hostconf"
	"github.com/evenkeel-grpc/evenkeel/resolvers/dns/internal/lookup"
	"github.com/evenkeel-grpc/evenkeel/resolvers/internal/watch"
)

// Scheme is what targets for this resolver begin with. It is grpc.NewClient's
// default.
const Scheme = "dns"

var logger = grpclog.Component("dns")

func init() {
	registry.Default.MustRegisterResolver(NewBuilder(), registry.WithSummary("follows the addresses of a name in DNS, by TTL"))
}

const (
	// minBackoff and maxBackoff bound the wait after a look-up that failed or
	// found nothing.
	minBackoff = time.Second
	maxBackoff = 10 * time.Second
)

var (
	resolvingTimeout      = 30 * time.Second
	minResolutionInterval = 30 * time.Second
)

// SetResolvingTimeout sets how long one look-up may take, over all name servers
// and attempts. The default is 30 s. It has the place of the function of this
// name in google.golang.org/grpc/resolver/dns, whose setting nobody else can
// see, and must be called before the first channel is made.
func SetResolvingTimeout(timeout time.Duration) { resolvingTimeout = timeout }

// SetMinResolutionInterval sets the least time between two look-ups of a channel
// because of ResolveNow, which policies call when a connection breaks. The
// default is 30 s. Look-ups that are due by TTL do not depend on it. It has the
// place of the function of this name in google.golang.org/grpc/resolver/dns, and
// must be called before the first channel is made.
func SetMinResolutionInterval(d time.Duration) { minResolutionInterval = d }

var (
	_ resolver.Builder       = (*builder)(nil)
	_ registry.TargetChecker = (*builder)(nil)
)

// Option changes what [NewBuilder] returns.
type Option interface{ apply(*builder) }

type optionFunc func(*builder)

func (f optionFunc) apply(b *builder) { f(b) }

// WithTLSConfig sets the configuration for name servers that are asked over TLS,
// such as their certificate authority. Its ServerName is replaced by the
// target's tls parameter. The default is the host's authorities.
func WithTLSConfig(c *tls.Config) Option {
	return optionFunc(func(b *builder) { b.tls = c })
}

type builder struct {
	tls   *tls.Config // the user's, or nil
	local *hostconf.Host
	cache *lookup.Cache
}

// NewBuilder returns a builder for one or more channels, to be given to them
// through grpc.WithResolvers. A program that needs no option imports this
// package and nothing else.
func NewBuilder(opts ...Option) resolver.Builder {
	b := &builder{local: hostconf.Local, cache: lookup.Shared}
	for _, o := range opts {
		if o != nil {
			o.apply(b)
		}
	}
	return b
}

func (*builder) Scheme() string { return Scheme }

func (*builder) CheckTarget(t resolver.Target) error {
	if _, err := parseTarget(t); err != nil {
		return fmt.Errorf("dns: %w", err)
	}
	return nil
}

// Build starts a resolver. It fails only if the target is not one of ours: grpc
// would not build again for any other reason. An address is answered before Build
// returns.
func (b *builder) Build(t resolver.Target, cc resolver.ClientConn, opts resolver.BuildOptions) (resolver.Resolver, error) {
	cfg, err := parseTarget(t)
	if err != nil {
		return nil, fmt.Errorf("dns: target %q: %w", redact(t), err)
	}
	if addr, ok := cfg.literal(); ok {
		list := []resolver.Endpoint{endpoint(addr, cfg.port)}
		// What UpdateState returns is of no use: there is no other answer.
		_ = cc.UpdateState(resolver.State{Endpoints: list, Addresses: watch.Addresses(list)})
		return literal{}, nil
	}
	src := b.newSource(cfg, cc, opts)
	return watch.Start(cc, src, watch.Config{
		Name:               fmt.Sprintf("dns: %q", cfg.host),
		Grace:              cfg.grace,
		Logger:             logger,
		Rank:               src.rank,
		MinBackoff:         minBackoff,
		MaxBackoff:         maxBackoff,
		ResolveNowInterval: minResolutionInterval,
	}), nil
}

// literal is the resolver of an address, which never changes.
type literal struct{}

func (literal) ResolveNow(resolver.ResolveNowOptions) {}
func (literal) Close()                                {}
