// Package evenkeel dials gRPC channels whose resolver and load-balancing policy
// are plugins, and says before the first RPC what grpc would find out late or
// never.
//
// # Use
//
// Import the plugins, dial a target, select a policy by name:
//
//	import _ "github.com/evenkeel-grpc/evenkeel/balancers/roundrobin"
//	import _ "github.com/evenkeel-grpc/evenkeel/resolvers/etcd" // or consul
//
// The result of [NewClient] is an ordinary *grpc.ClientConn, so generated stubs,
// interceptors, credentials and retries are used as always. The plugins also
// work with grpc.NewClient. To write one, see package registry for how it is
// registered, scstate for how a balancer is called, and endpoints for the
// engine that the balancers here are built on.
//
// # Guarantees
//
// Without options of this package, and with a target that is well formed and
// has a registered scheme, NewClient does what grpc.NewClient does, with the
// stats handlers that imported balancers ask for (registry.WithStatsHandler). An
// option with a method DialOptions() []grpc.DialOption stands for those: a plugin
// uses it where one option is not enough. A target without a scheme, such as
// "localhost:50051", is passed on as it is. Nothing is resolved and no connection
// is made before the first RPC or Connect.
//
// # Failure
//
// NewClient returns an error for a target that does not parse, a scheme that is
// not registered (it names the missing import of plugins that it knows), a
// target that the resolver's registry.TargetChecker refuses, and a config given
// to [WithServiceConfig] that registry.CheckServiceConfig refuses. Errors never
// show a target's user info, nor the value of a parameter that its resolver does
// not know.
//
// grpc logs targets and shows them in channelz. If the resolver is a
// registry.TargetSealer, NewClient takes the secrets out of the target first.
package evenkeel
