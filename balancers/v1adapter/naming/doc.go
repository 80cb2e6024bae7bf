// Package naming has the types of grpc-go's package naming, which grpc-go
// removed in v1.30, and its DNS resolver. It is for code that still has a
// naming.Resolver; see package v1adapter.
//
// # Use
//
// Change the import from google.golang.org/grpc/naming to this package, and give
// the Resolver to v1adapter.RoundRobin.
//
// # Guarantees
//
// The first Next of a watcher returns all addresses, later ones the changes
// only, deletions first. A watcher has no goroutine between two calls of Next.
//
// # Failure
//
// Resolve returns an error for a target that cannot be one. A lookup that fails
// is logged and tried again after 30 seconds, or freq if that is less; the
// addresses stay as they were. A host that does not exist has no addresses.
//
// # Concurrency
//
// A watcher's Close may be called from any goroutine and more than once, Next
// from one at a time.
package naming
