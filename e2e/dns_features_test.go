package e2e

import (
	"crypto/tls"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/experimental/balancer/weight"

	"github.com/evenkeel-grpc/evenkeel/internal/held"
	"github.com/evenkeel-grpc/evenkeel/resolvers/dns"
)

func TestDNSFailsOverBetweenServers(t *testing.T) {
	f := startFleet(t, 2)
	a, b := startCoreDNS(t, f.records("payments", 1, 0)...), startCoreDNS(t, f.records("payments", 1, 0)...)
	cc := dial(t, "dns://"+a.addr+","+b.addr+"/payments.test:"+f.port+"?min=500ms")
	waitForBackends(t, cc, f.backends[0])
	a.stop()
	b.change(t, f.records("payments", 1, 0, 1)...)
	waitForBackends(t, cc, f.backends...)
	a.start(t, "")
	b.stop()
	a.change(t, f.records("payments", 1, 1)...)
	waitForBackends(t, cc, f.backends[1])
}

// An answer that does not fit into a datagram is fetched over TCP: the list is
// whole, each time.
func TestDNSTruncatedAnswerComesWhole(t *testing.T) {
	s := startCoreDNS(t, many("big", 0, 200)...)
	v := build(t, s.target("big.test?min=200ms&max=200ms"))
	eventually(t, "200 endpoints", func() bool { return v.endpoints() == 200 })
	eventually(t, "ten look-ups", func() bool { return s.count("A big.test.") > 20 })
	if calls := v.calls(); len(calls) != 1 {
		t.Errorf("the channel was told of %d lists, want one", len(calls))
	}
}

func TestDNSFollowsAliases(t *testing.T) {
	f := startFleet(t, 1)
	s := startCoreDNS(t, append(f.records("c", 1, 0), "a 1 IN CNAME b", "b 1 IN CNAME c")...)
	waitForBackends(t, dial(t, s.target("a.test:"+f.port)), f.backends[0])
}

func TestDNSOverTLS(t *testing.T) {
	ca := newAuthority(t)
	f := startFleet(t, 2)
	s := newCoreDNS(t, f.records("payments", 1, 0)...)
	s.dot = held.Addr(t)
	ca.writeTo(t, s.dir, "dns.test")
	s.start(t, "")
	builder := dns.NewBuilder(dns.WithTLSConfig(&tls.Config{RootCAs: ca.pool, MinVersion: tls.VersionTLS12}))
	target := "dns://" + s.dot + "/payments.test:" + f.port + "?min=500ms&tls="
	cc := dial(t, target+"dns.test", grpc.WithResolvers(builder))
	waitForBackends(t, cc, f.backends[0])
	s.change(t, f.records("payments", 1, 0, 1)...)
	waitForBackends(t, cc, f.backends...)

	for name, other := range map[string]*grpc.ClientConn{
		"not other.test": dial(t, target+"other.test", grpc.WithResolvers(builder)),
		"unknown auth":   dial(t, target+"dns.test"),
	} {
		eventually(t, "an error about "+name, func() bool {
			_, err := call(rpcDeadline(t), other)
			return err != nil && strings.Contains(err.Error(), "certificate") && strings.Contains(err.Error(), strings.TrimPrefix(name, "unknown "))
		})
	}
}

func TestDNSServicesWithPriorities(t *testing.T) {
	a, b := startBackend(t), startBackend(t)
	srv := func(priority int, b *backend, target string) string {
		_, port, _ := strings.Cut(b.addr, ":")
		return fmt.Sprintf("_grpc._tcp.payments 1 IN SRV %d 0 %s %s", priority, port, target)
	}
	services := []string{srv(1, a, "first"), srv(2, b, "second")}
	second := "second 1 IN A 127.0.0.1"
	s := startCoreDNS(t, append(services, second, "first 1 IN A 127.0.0.1")...)
	cc := dial(t, s.target("_grpc._tcp.payments.test?min=500ms"))
	waitForBackends(t, cc, a)
	s.change(t, append(services, second)...)
	waitForBackends(t, cc, b)
	s.change(t, append(services, second, "first 1 IN A 127.0.0.1")...)
	waitForBackends(t, cc, a)
}

func TestDNSServiceWeightsReachThePolicy(t *testing.T) {
	s := startCoreDNS(t,
		"_grpc._tcp.payments 1 IN SRV 1 10 80 a", "_grpc._tcp.payments 1 IN SRV 1 30 80 b",
		"a 1 IN A 10.0.0.1", "b 1 IN A 10.0.0.2")
	v := build(t, s.target("payments.test?srv=1"))
	eventually(t, "an error: there are no such records", func() bool { return len(v.calls()) > 0 })
	v = build(t, s.target("_grpc._tcp.payments.test?srv=1"))
	eventually(t, "two endpoints", func() bool { return v.endpoints() == 2 })
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, e := range v.state.Endpoints {
		want := map[string]uint32{"10.0.0.1:80": 10, "10.0.0.2:80": 30}[e.Addresses[0].Addr]
		if got := weight.FromEndpoint(e).Weight; got != want {
			t.Errorf("weight of %s = %d, want %d", e.Addresses[0].Addr, got, want)
		}
	}
}

// With servername=target each endpoint has to prove the name of its SRV target.
func TestDNSServiceTargetIsTheTLSName(t *testing.T) {
	ca := newAuthority(t)
	server := credentials.NewTLS(&tls.Config{Certificates: []tls.Certificate{ca.issue(t, "a.test")}, MinVersion: tls.VersionTLS12})
	b := startBackendAt(t, "127.0.0.1:0", grpc.Creds(server))
	_, port, _ := strings.Cut(b.addr, ":")
	s := startCoreDNS(t, "_grpc._tcp.payments 1 IN SRV 1 0 "+port+" a", "a 1 IN A 127.0.0.1")
	client := credentials.NewTLS(&tls.Config{RootCAs: ca.pool, MinVersion: tls.VersionTLS12})
	open := func(params string) *grpc.ClientConn {
		cc, err := grpc.NewClient(s.target("_grpc._tcp.payments.test"+params), grpc.WithTransportCredentials(client))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cc.Close() })
		return cc
	}
	if _, err := call(rpcDeadline(t), open("?servername=target")); err != nil {
		t.Errorf("RPC with servername=target: %v", err)
	}
	if _, err := call(rpcDeadline(t), open("")); err == nil || !strings.Contains(err.Error(), "not _grpc._tcp.payments.test") {
		t.Errorf("RPC without: %v, want an error about the certificate", err)
	}
}

// A service config in DNS decides the policy, unless the channel disables it.
func TestDNSServiceConfig(t *testing.T) {
	f := startFleet(t, 2)
	s := startCoreDNS(t, append(f.records("payments", 1, 0, 1),
		`_grpc_config.payments 1 IN TXT "grpc_config=[{\"clientLanguage\":[\"java\"],\"serviceConfig\":{\"loadBalancingConfig\":[{\"pick_first\":{}}]}},`+
			`" "{\"serviceConfig\":{\"loadBalancingConfig\":[{\"round_robin\":{}}]}}]"`)...)
	plain := func(opts ...grpc.DialOption) *grpc.ClientConn {
		cc, err := grpc.NewClient(s.target("payments.test:"+f.port), append(opts, grpc.WithTransportCredentials(insecure.NewCredentials()))...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cc.Close() })
		return cc
	}
	waitForBackends(t, plain(), f.backends...) // the second choice
	cc := plain(grpc.WithDisableServiceConfig())
	first := mustCall(t, cc)
	for range 20 {
		if got := mustCall(t, cc); got != first {
			t.Fatalf("RPCs go to %s and %s, want one of them", first, got)
		}
	}
}

// A name with records of both families has an endpoint for each.
func TestDNSBothFamilies(t *testing.T) {
	s := startCoreDNS(t, "payments 1 IN A 10.0.0.1", "payments 1 IN AAAA 2001:db8::1")
	apart, together := build(t, s.target("payments.test")), build(t, s.target("payments.test?group=host"))
	eventually(t, "two endpoints", func() bool { return apart.endpoints() == 2 })
	eventually(t, "one endpoint", func() bool { return together.endpoints() == 1 })
	together.mu.Lock()
	defer together.mu.Unlock()
	if got := len(together.state.Endpoints[0].Addresses); got != 2 {
		t.Errorf("addresses of the endpoint = %d, want 2", got)
	}
}
