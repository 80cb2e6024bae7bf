// Command conformance runs grpc-go's own tests with evenkeel's balancers and
// resolvers in the place of grpc-go's, and reports every test whose outcome
// changes.
//
// # Use
//
//	go run ./conformance -quick                # a subset, for each CI run
//	go run ./conformance -full                 # everything that can notice
//	go run ./conformance ./balancer/lazy       # packages of google.golang.org/grpc
//	go run ./conformance -run '^Test$/^RoundRobin' ./test
//
// It copies the google.golang.org/grpc module that the repository pins, adds to
// each package's tests a file that imports the override, and runs the tests with
// that file (a build tag) and without. -override=feed re-registers grpc-go's own
// round_robin and pick_first behind scstate.Wrap; -override=plugins imports
// evenkeel's plugins, the resolver dns among them.
//
// # Guarantees
//
// In every package a test of the harness's own fails unless each overridden name
// is ours in the registry and a channel without a service config, whose pick_first
// package grpc looks up in its init, builds ours; it tells how often each was
// built. A test that fails
// is run again alone, with the override and, if it fails there too, without;
// what such a run clears is listed, never hidden. Skipped tests are in
// skips.txt, each with its reason.
//
// # Failure
//
// The exit status is 1 if a test differs or an override has no effect, 2 if the
// harness itself cannot go on.
package main
