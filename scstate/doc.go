// Package scstate carries SubConn state changes from grpc to a load-balancing
// policy: an unbounded buffer, and the feed that drains it into one policy.
//
// # Use
//
// A policy that is registered through the registry is wrapped already. To wrap
// one by hand:
//
//	balancer.Register(scstate.Wrap(myBuilder{}))
//
// [Wrap] puts a feed around every balancer that the builder builds. The feed
// runs every call into the balancer, resolver updates, state changes, health
// changes, ExitIdle, Close and [Post]ed functions, one at a time and in arrival
// order, so the policy needs no lock against grpc, its own timers or its own
// pickers. A policy that implements [Receiver] is handed the changes in
// batches. [Buffer] is the queue inside, usable on its own.
//
// # Modes
//
// A feed has two ways to run the policy. Inline, the default: the goroutine
// whose call finds the feed idle runs the policy until the queue is empty, and
// whoever comes meanwhile leaves its call in the queue and goes on. The policy
// is then called as grpc calls it today. Only a health report runs alone: grpc
// holds a lock of the SubConn's meanwhile, which registering a health listener
// takes too, so what else is queued runs on a new goroutine, and a listener that
// the report itself registers is registered there. [Detached]: a goroutine that
// starts with the first call and ends when the queue is empty. A policy that
// sleeps delays nobody else.
//
// What an inline child policy posts runs as one of its parent's calls, if the
// parent is in a feed too. So a parent that intercepts its children's calls needs
// no lock against them.
//
// # Guarantees
//
// No call is lost, doubled or reordered; two calls never overlap; after Close
// the policy is not called again. No goroutine is kept while nothing happens.
// A call that the policy causes from inside one of its own calls is queued,
// never waited for, so it cannot deadlock. What is queued keeps nothing of the
// caller's: a resolver may use the slices of its update again.
//
// # Failure
//
// The only call with a result is UpdateClientConnState. It waits for its turn
// and returns the policy's error, except where waiting could deadlock or could
// block grpc behind a slow policy: as soon as the policy has a call of its own
// into the ClientConn or a SubConn under way, and in detached mode when the
// policy is busy. It then returns nil, and a later balancer.ErrBadResolverState
// becomes a ResolveNow, which is what grpc would have made of it.
//
// So a parent may hold a lock while it calls a detached policy, and take the same
// lock when the policy calls it. Over an inline policy it must not: the goroutine
// that has the lock runs the policy itself, and after its own call those that
// others have queued meanwhile. No mode helps against a policy that waits for
// its caller by other means than a call into the ClientConn or a SubConn.
//
// A panic of the policy is not recovered. Whoever recovers it further up, such as
// a server around an RPC whose picker called Post, is left with a channel that
// does not go on, and whose Close may not return.
//
// # Concurrency
//
// Everything here may be called from any goroutine, unless it says otherwise.
package scstate
