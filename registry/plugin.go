package registry

import (
	"fmt"
	"net/url"
	"reflect"

	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/stats"

	"github.com/evenkeel-grpc/evenkeel/scstate"
)

// Kind says what a plugin does.
type Kind int

// The kinds of plugins.
const (
	KindBalancer Kind = iota + 1
	KindResolver
)

// String returns "balancer" or "resolver".
func (k Kind) String() string {
	switch k {
	case KindBalancer:
		return "balancer"
	case KindResolver:
		return "resolver"
	default:
		return fmt.Sprintf("Kind(%d)", int(k))
	}
}

// Plugin describes one registered balancer or resolver.
type Plugin struct {
	Kind Kind
	// Name is the policy's name in a service config, or the target's scheme.
	Name string
	// Package is the import path of the code that registered it.
	Package string
	// Summary is one line of text, empty if the plugin gave none.
	Summary string
	// Replaced is the package of the plugin that had the name in grpc's registry
	// before, such as grpc's own. It is empty if there was none.
	Replaced string
	// OverwrittenBy is the package of the plugin that took the name in grpc's
	// registry afterwards, so that grpc uses it instead. It is normally empty.
	OverwrittenBy string
}

// TargetChecker is implemented by a resolver.Builder that can tell a malformed
// target before it is resolved. evenkeel.NewClient asks it.
type TargetChecker interface {
	// CheckTarget returns an error that says what is wrong with the target and
	// what would be accepted, without the values of passwords or tokens in it.
	// It does no I/O and may be called concurrently.
	CheckTarget(target resolver.Target) error
}

// TargetSealer is implemented by a resolver.Builder whose targets may hold
// secrets. grpc logs targets and shows them in channelz, so evenkeel.NewClient
// hands it only what SealTarget returns.
type TargetSealer interface {
	// SealTarget returns the target with something in the place of each secret
	// that may be shown, and that builders of this scheme understand in this
	// process for as long as it runs. It returns false if there is no secret.
	// A sealed target is its own. It does no I/O and may be called concurrently.
	SealTarget(target url.URL) (sealed url.URL, ok bool)
}

// Option describes a plugin to the registry.
type Option interface{ apply(*options) }

type options struct {
	summary string
	config  reflect.Type
	feed    []scstate.Option
	stats   stats.Handler
}

type optionFunc func(*options)

func (f optionFunc) apply(o *options) { f(o) }

func newOptions(opts []Option) options {
	var o options
	for _, opt := range opts {
		if opt != nil {
			opt.apply(&o)
		}
	}
	return o
}

// WithSummary sets [Plugin.Summary]. The default is none.
func WithSummary(s string) Option {
	return optionFunc(func(o *options) { o.summary = s })
}

// WithConfig tells the service config check which fields a balancer's config
// has: those into which encoding/json would decode prototype, a struct or a
// pointer to one. A type with its own UnmarshalJSON is asked, and may so be
// stricter than the policy's ParseConfig, which sees the config too. By default
// any field is accepted. Resolvers ignore this option.
func WithConfig(prototype any) Option {
	return optionFunc(func(o *options) { o.config = deref(reflect.TypeOf(prototype)) })
}

// WithFeed sets the options of the feed around a balancer. The default is an
// inline feed. Resolvers ignore this option.
func WithFeed(opts ...scstate.Option) Option {
	return optionFunc(func(o *options) { o.feed = opts })
}

// WithStatsHandler sets a handler that a channel needs if it is to use the
// balancer with all that it can do: what TagRPC puts into an RPC's context, Pick
// sees. evenkeel.NewClient gives it to every channel, because a policy may be
// selected at any time. The default is none. Resolvers ignore this option.
func WithStatsHandler(h stats.Handler) Option {
	return optionFunc(func(o *options) { o.stats = h })
}

// deref returns the type that a pointer type points to, other types as they are.
func deref(t reflect.Type) reflect.Type {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}
