package main

import (
	"fmt"
	"strings"

	"google.golang.org/grpc/resolver"

	"github.com/evenkeel-grpc/evenkeel/registry"
)

func init() {
	registry.Default.MustRegisterResolver(staticBuilder{},
		registry.WithSummary("static:///host:port,host:port"))
}

type staticBuilder struct{}

func (staticBuilder) Scheme() string { return "static" }

func (staticBuilder) Build(t resolver.Target, cc resolver.ClientConn, _ resolver.BuildOptions) (resolver.Resolver, error) {
	if t.Endpoint() == "" {
		return nil, fmt.Errorf("static: target %q has no addresses, want static:///host:port,host:port", t.String())
	}
	var s resolver.State
	for addr := range strings.SplitSeq(t.Endpoint(), ",") {
		e := resolver.Endpoint{Addresses: []resolver.Address{{Addr: addr}}}
		s.Endpoints = append(s.Endpoints, e)
		s.Addresses = append(s.Addresses, e.Addresses...) // for policies that know no endpoints
	}
	return static{}, cc.UpdateState(s)
}

// static has nothing to watch.
type static struct{}

func (static) ResolveNow(resolver.ResolveNowOptions) {}

func (static) Close() {}
