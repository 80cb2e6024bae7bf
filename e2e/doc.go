// Package e2e tests the plugins with real servers: an etcd inside the test
// process, gRPC servers on the loopback interface, and ordinary channels.
package e2e
