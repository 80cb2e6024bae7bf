// Package parity has the tests that run grpc-go's own round_robin and pick_first
// beside ours: one script for both, one literal expectation, and two where
// docs/compatibility.md says that they differ.
//
// The numbers in the tests' names (A1 to H5) are those of the table in that
// document.
package parity
