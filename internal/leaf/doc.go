// Package leaf connects to one of an ordered list of addresses: the state
// machine of gRFC A61 (happy eyeballs, one SubConn per address) and A62 (sticky
// TRANSIENT_FAILURE). It is the whole of pick_first, and what the endpoints
// engine keeps for each endpoint.
//
// # Use
//
// The owner implements [Owner], calls [Leaf.Update] with the addresses, and is
// told of every change. [Addresses] puts a resolver's endpoints into the order
// in which they are to be tried.
//
// # Guarantees
//
// A leaf of one address costs one Leaf, one Conn and one SubConn; it starts no
// timer. An address that is kept across an update keeps its SubConn and its
// backoff.
//
// # Failure
//
// A leaf never gives up. It reports TRANSIENT_FAILURE with the last connection
// error once every address has failed, goes on trying, and stays in
// TRANSIENT_FAILURE until it is READY.
//
// # Concurrency
//
// A leaf has no lock. All calls must come from the owner's feed (package
// scstate), which also runs the leaf's listeners and timers.
package leaf
