// Package etcd is a resolver that follows the endpoints of a service in etcd, and
// keeps a server registered there.
//
// # Use
//
//	import _ "github.com/evenkeel-grpc/evenkeel/resolvers/etcd"
//
// and dial one of
//
//	etcd://host1:2379,host2:2379/services/payments
//	etcd:///services/payments
//	etcd:///services/payments?client=main
//
// The first connects to etcd by itself. The second uses a client of the program,
// which [WithClient] gives to the resolver, the third one that has a name through
// [RegisterClient]. What follows the host is the key prefix: the entries of
// etcd://…/services/payments are the keys that begin with "services/payments/",
// whatever comes after. docs/etcd.md lists the parameters that a target may have.
//
// The value of a key is what the package
// go.etcd.io/etcd/client/v3/naming/endpoints writes,
//
//	{"Op":0,"Addr":"10.0.0.1:9000","Metadata":{"zone":"a","weight":5}}
//
// or what go-zero, kratos, kitex or go-micro write; each value tells. A policy
// finds the rest through [Metadata] and [Weight].
//
// A server keeps its entry with [Register].
//
// # Guarantees
//
// The prefix is read at one revision, linearizably, and watched from the next one
// on, with a leader required: nothing is missed in between, and a member that has
// lost its cluster is not believed. Channels that follow the same prefix in the
// same way share the list and the watch.
//
// Changes that pile up are published as one list, at most 20 in any second; after
// a quiet time a change is published at once. Lists are sorted by address; of
// several entries with one address the one with the least key counts. A changed
// value changes no connection unless the address changes.
//
// # Failure
//
// If there is no connection after 185 ms, RPCs hear that, lest they wait for the
// first list without a cause. Nothing that etcd does ends the discovery. When the prefix cannot be read, the
// connection breaks, or the watch ends for any reason, the channel hears why and
// keeps its endpoints. The watch is resumed where it was, or, if etcd has forgotten
// what came since or has another history, the prefix is read again. The waits are
// 100 ms to 1 s plus or minus half. Each step gives up after 1 s, and after twice
// the time on each failure in a row, up to 16 s.
//
// An entry that is malformed is skipped and logged once.
//
// A registration is repaired for ever as well: its [Status] tells how it is.
//
// # Concurrency
//
// Everything in this package may be used from any goroutine.
package etcd
