package registry

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"

	"google.golang.org/grpc/balancer"
	_ "google.golang.org/grpc/balancer/pickfirst"  // registers before ours
	_ "google.golang.org/grpc/balancer/roundrobin" // registers before ours
	"google.golang.org/grpc/resolver"
	_ "google.golang.org/grpc/resolver/dns" // registers before ours
	"google.golang.org/grpc/stats"

	"github.com/evenkeel-grpc/evenkeel/scstate"
)

// Default is the registry that plugins register in. It alone publishes what it
// is given to grpc's global registries, and finds what others put there.
//
// Registering in Default is for init functions only, because grpc reads its
// registries without a lock.
//
// This package and what pick_first needs must not import package grpc: that
// looks pick_first up in its init, for channels without a service config, and
// would find its own. Otherwise it comes later, because Go initialises, of the
// packages whose imports are done, the first by import path.
var Default = &Registry{
	balancers: table[balancer.Builder]{grpc: &global[balancer.Builder]{balancer.Get, balancer.Register}},
	resolvers: table[resolver.Builder]{grpc: &global[resolver.Builder]{resolver.Get, resolver.Register}},
}

// Registry maps names to plugins. The zero value is an empty registry that has
// nothing to do with grpc's or with [Default]. It is safe for concurrent use
// and must not be copied after use.
type Registry struct {
	balancers table[balancer.Builder]
	resolvers table[resolver.Builder]
}

// RegisterBalancer adds a balancer under its builder's name, with a feed of
// package scstate around each balancer that it builds. It returns an error for
// a nil builder, an empty name, and a name that is taken.
func (r *Registry) RegisterBalancer(b balancer.Builder, opts ...Option) error {
	if isNil(b) {
		return errors.New("registry: nil balancer.Builder")
	}
	p := Plugin{Kind: KindBalancer, Name: b.Name(), Package: callerPackage()}
	if p.Name == "" {
		return fmt.Errorf("registry: balancer of %s has an empty name", p.Package)
	}
	o := newOptions(opts)
	if o.config != nil && o.config.Kind() != reflect.Struct {
		return fmt.Errorf("registry: balancer %q: WithConfig of a %s: want a struct", p.Name, o.config)
	}
	p.Summary = o.summary
	e := entry[balancer.Builder]{plugin: p, builder: scstate.Wrap(b, o.feed...), config: o.config, stats: o.stats}
	return r.balancers.add(e)
}

// validScheme is RFC 3986's scheme in the canonical lower case, which is what
// grpc looks for.
var validScheme = regexp.MustCompile(`^[a-z][a-z0-9+.-]*$`)

// RegisterResolver adds a resolver under its builder's scheme. It returns an
// error for a nil builder, a scheme that no target can have, and a scheme that
// is taken.
func (r *Registry) RegisterResolver(b resolver.Builder, opts ...Option) error {
	if isNil(b) {
		return errors.New("registry: nil resolver.Builder")
	}
	p := Plugin{Kind: KindResolver, Name: b.Scheme(), Package: callerPackage()}
	if !validScheme.MatchString(p.Name) {
		return fmt.Errorf("registry: resolver of %s has scheme %q: want lower-case letters, digits, +, - and ., with a letter first", p.Package, p.Name)
	}
	p.Summary = newOptions(opts).summary
	return r.resolvers.add(entry[resolver.Builder]{plugin: p, builder: b})
}

// MustRegisterBalancer is [Registry.RegisterBalancer] for a plugin's init: it
// panics where that returns an error.
func (r *Registry) MustRegisterBalancer(b balancer.Builder, opts ...Option) {
	must(r.RegisterBalancer(b, opts...))
}

// MustRegisterResolver is [Registry.RegisterResolver] for a plugin's init: it
// panics where that returns an error.
func (r *Registry) MustRegisterResolver(b resolver.Builder, opts ...Option) {
	must(r.RegisterResolver(b, opts...))
}

// must panics with err: a plugin's init has nobody to return it to.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// Balancer returns the builder registered under a policy's name, compared
// exactly. [Default] also finds what was registered with grpc directly.
//
// The error is an [*UnknownError], unless the name is registered but grpc uses
// another builder of that name.
func (r *Registry) Balancer(name string) (balancer.Builder, error) {
	e, err := r.balancers.find(KindBalancer, name)
	return e.builder, err
}

// Resolver returns the builder registered under a scheme, compared exactly.
// [Default] also finds what was registered with grpc directly. Its errors are
// those of [Registry.Balancer].
func (r *Registry) Resolver(scheme string) (resolver.Builder, error) {
	e, err := r.resolvers.find(KindResolver, scheme)
	return e.builder, err
}

// ReplacedBalancer returns the builder that had a policy's name in grpc's
// registry before a plugin took it over, such as grpc's own, to compare with or
// to register under another name. It returns false if there was none.
func (r *Registry) ReplacedBalancer(name string) (balancer.Builder, bool) {
	r.balancers.mu.RLock()
	defer r.balancers.mu.RUnlock()
	old := r.balancers.entries[name].old
	return old, old != nil
}

// StatsHandlers returns what the registered balancers asked for by
// [WithStatsHandler], in the order of their names.
func (r *Registry) StatsHandlers() []stats.Handler {
	r.balancers.mu.RLock()
	defer r.balancers.mu.RUnlock()
	var handlers []stats.Handler
	for _, name := range slices.Sorted(maps.Keys(r.balancers.entries)) {
		if h := r.balancers.entries[name].stats; h != nil {
			handlers = append(handlers, h)
		}
	}
	return handlers
}

// Plugins returns all that is registered, balancers first, sorted by name.
// [Default] includes what is in grpc's registries under the names of plugins
// that are part of grpc or of evenkeel.
func (r *Registry) Plugins() []Plugin {
	return slices.Concat(r.balancers.plugins(KindBalancer), r.resolvers.plugins(KindResolver))
}
