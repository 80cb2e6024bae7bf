package v1adapter

import (
	"google.golang.org/grpc/resolver"
)

var _ resolver.Builder = noLookup{}

// noLookup takes the place of a channel's dns resolver, and hands the target on
// as it is. A v1 target may be the name of a service that DNS does not know, and
// grpc.NewClient asks DNS about all targets without a scheme.
type noLookup struct{}

func (noLookup) Scheme() string { return "dns" }

func (noLookup) Build(t resolver.Target, cc resolver.ClientConn, _ resolver.BuildOptions) (resolver.Resolver, error) {
	endpoint := resolver.Endpoint{Addresses: []resolver.Address{{Addr: t.Endpoint()}}}
	return noLookup{}, cc.UpdateState(resolver.State{Endpoints: []resolver.Endpoint{endpoint}})
}

func (noLookup) ResolveNow(resolver.ResolveNowOptions) {}

func (noLookup) Close() {}
