// Package pickfirst is a balancer that connects to the first address that
// answers and gives it all RPCs. Importing it replaces grpc-go's pick_first in
// this process, also as the leaf under grpc-go's other policies.
//
// # Use
//
//	import _ "github.com/evenkeel-grpc/evenkeel/balancers/pickfirst"
//
// and select [Name] in the service config, with a [Config] if wanted.
// pick_first is also what grpc uses where no policy is selected.
//
// # Guarantees
//
// It behaves as grpc-go's pick_first does, except where docs/compatibility.md
// says otherwise: addresses are tried in order, 250 ms apart, the families
// taking turns (gRFC A61); TRANSIENT_FAILURE lasts until READY (A62). A pick is
// a load, without allocation.
//
// # Failure
//
// Once every address has failed, RPCs fail as UNAVAILABLE with the last
// connection error; each address is tried again as its backoff allows. A lost
// connection leaves the policy IDLE until the next RPC.
package pickfirst
