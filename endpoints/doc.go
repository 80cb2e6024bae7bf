// Package endpoints is the engine under every policy that keeps a connection to
// each endpoint of the resolver and spreads RPCs over those that are READY.
//
// # Use
//
// A policy's Build returns [New], with a [Policy] that makes its picker from the
// [Ring] of READY endpoints. Under a policy that is registered through the registry
// the engine uses the policy's feed; elsewhere it adds one.
//
// # Guarantees
//
// One endpoint with one address costs one record and one SubConn; one with
// several addresses races them by happy eyeballs, as pick_first does. Two
// entries of the resolver are the same endpoint if they have the same set of
// address strings; the first one counts.
//
// The cost of a change, on average, does not depend on the number of endpoints: an
// endpoint that becomes READY, or ceases to be, changes the Ring in place. A
// resolver update is O(N); one that repeats the last is compared and dropped without
// allocating. When endpoints leave, their memory goes back, and a failure takes no
// longer than if they had never been there. The engine keeps a copy of the list: a
// resolver may use its slices again.
//
// The state is READY if any endpoint is, else CONNECTING, else IDLE, else
// TRANSIENT_FAILURE. A change of it is always reported, and so is, while READY,
// a change of the Ring: grpc parks an RPC whose pick has no transport until the
// next UpdateState, and parent policies count on it. The picker stays the same.
//
// # Failure
//
// In TRANSIENT_FAILURE, RPCs fail with the endpoints' connection errors in turn,
// and with the resolver's if it reported one. A changed error is published at once
// to new RPCs, and to those that wait for READY once a second, the last one
// included. Endpoints without addresses are ignored; if there are no others, the
// resolver update is answered with balancer.ErrBadResolverState.
//
// # Concurrency
//
// The engine runs in its policy's feed, or in its own, and has no lock. Ring may be
// used from any goroutine.
package endpoints
