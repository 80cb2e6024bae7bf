// Package demo runs the SDK's main job before one's eyes: a gRPC channel finds
// real servers in a real etcd, spreads RPCs over them, and follows every change.
//
// # Use
//
// [Run] does all of it and returns once everything is gone again.
//
// # Guarantees
//
// What is shown is measured: RPCs are counted by the address that answered, and
// the times from the registry change to the first or last RPC. etcd, the servers
// and the channel listen on loopback only; the temporary folder is removed.
//
// # Failure
//
// Run returns an error if anything could not be started, if an RPC failed, or
// [ErrInterrupted] if ctx ended first.
package demo
