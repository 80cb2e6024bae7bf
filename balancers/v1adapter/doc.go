// Package v1adapter runs balancers that were written for grpc-go's v1 API,
// which grpc-go removed in v1.30: grpc.Balancer, grpc.RoundRobin and
// grpc.WithBalancer, with package naming beside it.
//
// # Use
//
// Change the imports, and from
//
//	grpc.Dial(target, grpc.WithBalancer(grpc.RoundRobin(r)))
//
// to
//
//	grpc.Dial(target, v1adapter.DialOptions(v1adapter.RoundRobin(r))...)
//
// or to the same with grpc.NewClient. Or register [NewBuilder]'s result and
// select it in a service config; grpc.NewClient then looks up a target without a
// scheme in DNS first, so put passthrough:/// before it. docs/migrating-v1.md has
// the details.
//
// # Guarantees
//
// A [Balancer] is called as v1 of grpc v1.29.1 called it, except where
// docs/migrating-v1.md says otherwise: Start before all else; Up once for each
// connection, and its down once; put once for each Get; nothing after Close. It
// is never called on a goroutine that grpc waits for, except that Get without
// BlockingWait runs on the goroutine of its RPC. Pick does not wait for a Get
// with BlockingWait for more than a millisecond.
//
// Get has BlockingWait for exactly the wait-for-ready RPCs on channels with
// [DialOptions] or [DialOptionsFunc], and on all channels of evenkeel.NewClient.
// On others it is always false, v1's default; then an error of Get without a
// status, or with UNAVAILABLE, lets a wait-for-ready RPC wait for the next
// change, and fails others as UNAVAILABLE.
//
// # Failure
//
// After an error from Start, RPCs fail as UNAVAILABLE with its text. An error
// from Get ends its RPC, with the error's status or else UNAVAILABLE. While an
// address has no connection its fail-fast RPCs fail as UNAVAILABLE once
// connecting has failed. An address that Notify has not listed counts as one on
// its way for a second.
//
// A Get that never returns keeps its own RPC and goroutine only; Close of the
// channel does not wait for it.
//
// # Concurrency
//
// All functions may be called concurrently. What a Balancer has to bear is said
// at its methods.
package v1adapter
