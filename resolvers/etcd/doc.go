// Package etcd is a resolver that follows the endpoints of a service in etcd.
//
// # Use
//
//	import _ "github.com/evenkeel-grpc/evenkeel/resolvers/etcd"
//
// and dial one of
//
//	etcd://host1:2379,host2:2379/services/payments
//	etcd:///services/payments
//
// The first connects to etcd by itself, in the clear and without a user. The
// second uses a client of the program, which [WithClient] names; that is also
// the way to TLS and authentication. What follows the host is the key prefix:
// the entries of etcd://…/services/payments are the keys that begin with
// "services/payments/", whatever comes after. Their values are JSON as the
// package go.etcd.io/etcd/client/v3/naming/endpoints writes it:
//
//	{"Op":0,"Addr":"10.0.0.1:9000","Metadata":{"zone":"a"}}
//
// Op is ignored, and so are members with other names. Metadata may be any JSON
// value and reaches the load-balancing policy through [Metadata].
//
// The one parameter is grace, a duration such as 1m30s: how long the last good
// list is kept when etcd says that no entry is left. The default is 30s, 0 means
// not at all.
//
// # Guarantees
//
// The prefix is read once, linearizably, and watched from the next revision on,
// with a leader required: nothing is missed in between, and a member that has
// lost its cluster is not believed. Changes that have piled up are published as
// one list. Lists are sorted by address; of several entries with one address the
// one with the least key counts. A changed value changes no connection unless
// the address changes.
//
// # Failure
//
// Nothing that etcd does ends the discovery. When the prefix cannot be read, the
// connection breaks, or the watch ends for any reason, a compaction included,
// the channel hears why, keeps its endpoints, and the prefix is read again, with
// waits of 100 ms to 5 s plus or minus half. Reading gives up after 1 s, and
// after twice the time on each failure in a row, up to 16 s.
//
// An entry that is malformed is skipped and logged once.
//
// # Concurrency
//
// The builder and what it builds may be used from any goroutine.
package etcd
