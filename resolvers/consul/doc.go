// Package consul is a resolver that follows a service in Consul.
//
// # Use
//
//	import _ "github.com/evenkeel-grpc/evenkeel/resolvers/consul"
//
// and dial one of
//
//	consul://host:port/payments
//	consul:///payments?tag=v2&dc=east&dc=west
//
// The first asks the agent or server at that address. The second asks the one
// that the environment names, as Consul's own tools do (CONSUL_HTTP_ADDR and
// the others). docs/consul.md lists all parameters. A program that has a client
// or a config of its own uses [WithClient] or [WithConfig].
//
// [Register] is the other side: it keeps a server registered.
//
// # Guarantees
//
// Changes are followed by blocking queries, as Consul's documentation asks for
// them: an index that goes backwards is forgotten, answers that bring nothing new
// lead to one query a second at most, and waits are spread. However many
// channels of a process ask the same, there is one query; queries with the same
// access share a client and its connections.
//
// What Consul knows of an instance reaches the load-balancing policy through
// [InstanceOf], its weight for its present health through the package
// google.golang.org/grpc/experimental/balancer/weight. A change of either
// replaces no connection.
//
// # Failure
//
// Nothing that Consul does ends the discovery. While it cannot be asked, or says
// what makes no sense, the channel hears why and keeps its endpoints, and Consul
// is asked again after 100 ms, then twice as long each time up to 600 ms
// (max-backoff), plus or minus half; if it answers 429, or says how long to wait,
// that long. An empty list replaces one that was not after a grace period of 30 s.
//
// Errors and logs show no password and no token. grpc itself shows targets in its
// log and in channelz: dial targets with a secret in them through
// evenkeel.NewClient, which takes it out, or use token-file or the environment.
//
// # Concurrency
//
// The builder and what it builds may be used from any goroutine.
package consul
