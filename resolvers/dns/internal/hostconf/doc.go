// Package hostconf reads how this host resolves names: /etc/resolv.conf,
// /etc/hosts and /etc/nsswitch.conf.
//
// # Use
//
// [Local] is this host. Its methods read a file when it has changed since the
// last time, and are cheap otherwise.
//
// # Failure
//
// What this project's own client cannot do, [Host.Unsupported] names, so that
// the caller can leave it to the operating system. A file that cannot be read is
// like one that is empty, except that resolv.conf has to be there.
//
// # Concurrency
//
// A [Host] may be used from any goroutine.
package hostconf
