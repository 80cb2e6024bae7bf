package scstate

import (
	"encoding/json"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/serviceconfig"
)

// Option changes how [Wrap] runs a policy.
type Option interface{ apply(*options) }

type options struct{ detached bool }

type optionFunc func(*options)

func (f optionFunc) apply(o *options) { f(o) }

// Detached makes each feed run its policy on a goroutine of the feed's own,
// which exists only while there is something to do. It is for policies that may
// block. The default is inline.
func Detached() Option {
	return optionFunc(func(o *options) { o.detached = true })
}

// Wrap returns a builder of the same name whose balancers are b's, each behind
// a feed. It implements balancer.ConfigParser exactly if b does. If b's Build
// returns nil, so does the result's. A builder that Wrap returned is returned as
// it is: one feed is enough, and whoever wrapped first knew what it needs.
//
// The ClientConn that b's Build receives can be given to [Post]. The SubConns
// that it creates stand for grpc's: pickers may return them as they are, and
// [Direct] saves the translation.
func Wrap(b balancer.Builder, opts ...Option) balancer.Builder {
	switch b.(type) {
	case *builder, *parsingBuilder:
		return b
	}
	w := &builder{Builder: b}
	for _, o := range opts {
		if o != nil {
			o.apply(&w.opts)
		}
	}
	if p, ok := b.(balancer.ConfigParser); ok {
		return &parsingBuilder{builder: w, parser: p}
	}
	return w
}

var (
	_ balancer.Builder      = (*builder)(nil)
	_ balancer.ConfigParser = (*parsingBuilder)(nil)
)

type builder struct {
	balancer.Builder
	opts options
}

func (b *builder) Build(cc balancer.ClientConn, opts balancer.BuildOptions) balancer.Balancer {
	f := &feed{detached: b.opts.detached}
	f.cc = &clientConn{ClientConn: cc, feed: f}
	if parent, ok := cc.(*clientConn); ok {
		f.outer.Store(parent.feed)
	}
	f.queue.claim() // What arrives during Build waits until its end.
	f.policy = b.Builder.Build(f.cc, opts)
	if f.policy == nil {
		f.queue.changes.Close()
		return nil
	}
	f.receiver, _ = f.policy.(Receiver)
	if !f.queue.release() {
		f.run()
	}
	return f
}

// parsingBuilder is a type of its own because grpc finds ConfigParser by a type
// assertion: a policy without one must not seem to have one.
type parsingBuilder struct {
	*builder
	parser balancer.ConfigParser
}

func (b *parsingBuilder) ParseConfig(js json.RawMessage) (serviceconfig.LoadBalancingConfig, error) {
	return b.parser.ParseConfig(js)
}
