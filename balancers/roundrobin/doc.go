// Package roundrobin is a balancer that gives RPCs to the READY endpoints in
// turn. Importing it replaces grpc-go's round_robin in this process.
//
// # Use
//
//	import _ "github.com/evenkeel-grpc/evenkeel/balancers/roundrobin"
//
// and select [Name] in the service config. The policy has no options.
//
// # Guarantees
//
// It behaves as grpc-go's round_robin does, except where docs/compatibility.md
// says otherwise. Each READY endpoint gets the same number of RPCs, and a turn
// goes on where it was when an endpoint comes or goes. Picks are lock-free and
// do not allocate. The cost of a change does not depend on the number of
// endpoints.
//
// # Failure
//
// While no endpoint is READY, RPCs wait for those that are connecting; once all
// have failed, RPCs fail as UNAVAILABLE with the endpoints' connection errors in
// turn. A lost connection is re-established at once.
package roundrobin
