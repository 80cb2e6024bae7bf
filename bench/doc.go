// Command bench measures evenkeel's round_robin and pick_first beside grpc-go's
// own, in one process and one run.
//
// # Use
//
//	go run ./bench                               all rows, a few minutes
//	go run ./bench -quick                        small sizes, a few seconds
//	go run ./bench -run '^Pick' -out /tmp/p.json some rows
//	go run ./bench -plot docs/bring-up.svg -docs docs/benchmarks.md
//
// It prints a table and writes the same figures as JSON.
//
// # Guarantees
//
// The two sides take turns (A B A B ...), so that what else the machine does
// meets both. A figure is the median of its side's runs, and a ratio that of the
// two medians. Less is better in every row.
//
// # Failure
//
// A row that cannot be measured ends the command with an error and exit status
// 1. A missed target is shown in the table and changes nothing else: how fast a
// shared machine is today must not break a build.
package main
