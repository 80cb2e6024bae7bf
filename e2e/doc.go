// Package e2e tests the plugins with real servers: etcd clusters inside the test
// process, Consul and CoreDNS in processes of their own, gRPC servers on the
// loopback interface, and ordinary channels. A proxy in between does to
// connections what networks do.
//
// Tests wait as long as a busy machine may need. With the flag -full, outages and
// storms have their full length, and what takes too long is an error.
package e2e
