// Package registry maps names to balancer and resolver plugins, and checks
// service configs against what is registered.
//
// # Use
//
// A plugin registers itself in [Default] from its init:
//
//	func init() { registry.Default.MustRegisterBalancer(builder{}) }
//
// A user blank-imports the plugin, and may check a service config before it is
// given to grpc, with [CheckServiceConfig].
//
// # Guarantees
//
// A name is registered once: the second registration is an error that names
// both packages. Every balancer runs behind a feed of package scstate. A name
// that one of grpc's own plugins has is taken over, and [Plugin.Replaced] says
// so. This package imports those of grpc's pick_first, round_robin and dns, which
// therefore register before any plugin that imports this package. A plugin that
// replaces another of grpc's has to import the package that it replaces, or
// package grpc where that is internal.
//
// # Failure
//
// A lookup of a name that is not there returns an [*UnknownError] with what is
// registered, the nearest name, and the import that is missing if the name is
// known. A plugin of Default whose name somebody else registered afterwards in
// grpc's registry is reported by every lookup. [CheckServiceConfig] returns a
// [*ConfigError] with everything it found. Only the Must methods panic.
//
// # Concurrency
//
// A [Registry] is safe for concurrent use. Registering in [Default] writes
// grpc's registries, which have no locks and may change only while the program
// initialises; everything else may be done at any time.
package registry
