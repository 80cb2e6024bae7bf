package etcd

import (
	"errors"
	"fmt"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/grpclog"
	"google.golang.org/grpc/resolver"

	"github.com/evenkeel-grpc/evenkeel/registry"
	"github.com/evenkeel-grpc/evenkeel/resolvers/internal/watch"
)

// Scheme is what targets for this resolver begin with.
const Scheme = "etcd"

var logger = grpclog.Component("etcd")

func init() {
	registry.Default.MustRegisterResolver(NewBuilder(), registry.WithSummary("follows a key prefix in etcd"))
}

var (
	_ resolver.Builder       = (*builder)(nil)
	_ registry.TargetChecker = (*builder)(nil)
)

// Option changes what [NewBuilder] returns.
type Option interface{ apply(*builder) }

type optionFunc func(*builder)

func (f optionFunc) apply(b *builder) { f(b) }

// WithClient makes the resolvers use c, for targets that name no host. It stays
// the caller's: it must be closed after the channels that use it, and not by
// them. Without this option only targets that name hosts work, or a client that
// [RegisterClient] knows.
//
// A channel that lost etcd finds it again as fast as c reconnects, so c should
// have keep-alives (DialKeepAliveTime) to notice a connection that died in
// silence.
func WithClient(c *clientv3.Client) Option {
	return optionFunc(func(b *builder) { b.client = c })
}

type builder struct {
	client *clientv3.Client // the user's, or nil
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
	if _, _, err := b.config(t); err != nil {
		return fmt.Errorf("etcd: %w", err)
	}
	return nil
}

// Build starts a resolver. It fails only if the target is not one of ours: grpc
// would not build again for any other reason.
func (b *builder) Build(t resolver.Target, cc resolver.ClientConn, _ resolver.BuildOptions) (resolver.Resolver, error) {
	cfg, client, err := b.config(t)
	if err != nil {
		return nil, fmt.Errorf("etcd: target %q: %w", redact(t.URL), err)
	}
	newOne := func() watch.Source { return newSource(cfg.place, client) }
	return hubs.Start(cc, hubKey{client, cfg.place}, newOne, watch.Config{
		Name:       fmt.Sprintf("etcd: %q", cfg.prefix),
		Grace:      cfg.grace,
		Logger:     logger,
		MaxBackoff: maxBackoff,
	}), nil
}

// hubs runs one list and one watch for all channels that follow the same place
// through the same client.
var hubs watch.Hubs[hubKey]

type hubKey struct {
	client *clientv3.Client // nil if the place says how to connect
	place  place
}

var (
	errNoClient   = errors.New("no host and no client (want etcd://host:port/prefix, a builder from NewBuilder with WithClient, or the parameter client)")
	errTwoClients = errors.New("hosts or the parameter client in the target, and a client from WithClient (want one of them; with a client write etcd:///prefix)")
)

// config reads the target and checks it against the options. The client is nil
// if the target has hosts.
func (b *builder) config(t resolver.Target) (config, *clientv3.Client, error) {
	cfg, err := parseTarget(t.URL)
	switch {
	case err != nil:
		return config{}, nil, err
	case b.client != nil && (cfg.hosts != "" || cfg.client != ""):
		return config{}, nil, errTwoClients
	case b.client != nil || cfg.hosts != "":
		return cfg, b.client, nil
	case cfg.client == "":
		return config{}, nil, errNoClient
	}
	client, err := lookupClient(cfg.client)
	cfg.client = "" // the client itself says more than its name
	return cfg, client, err
}
