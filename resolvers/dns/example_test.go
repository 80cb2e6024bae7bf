package dns_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/evenkeel-grpc/evenkeel"
	"github.com/evenkeel-grpc/evenkeel/resolvers/dns"
)

// RPCs do not hang while the name server cannot be reached; they fail with the
// cause until it can. (Nobody listens on port 1.)
func Example() {
	cc, err := evenkeel.NewClient("dns://127.0.0.1:1/payments.example.com:8080",
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = cc.Close() }()

	_, err = healthpb.NewHealthClient(cc).Check(context.Background(), &healthpb.HealthCheckRequest{})
	fmt.Println(status.Code(err))
	fmt.Println(status.Convert(err).Message())
	// Output:
	// Unavailable
	// dns: "payments.example.com": A record: 127.0.0.1:1: connection refused
}

// A target that the resolver does not understand is refused before any RPC.
func Example_malformedTarget() {
	_, err := evenkeel.NewClient("dns:///payments.example.com?refersh=10s",
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	fmt.Println(err)
	// Output:
	// evenkeel: target "dns:///payments.example.com?refersh=xxxxx": dns: unknown parameter "refersh" (did you mean "refresh"? known: grace, group, max, min, refresh, servername, srv, tls, wait)
}

// DNS over TLS, with a certificate authority that only the program knows.
func ExampleWithTLSConfig() {
	roots := x509.NewCertPool() // and AppendCertsFromPEM
	builder := dns.NewBuilder(dns.WithTLSConfig(&tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13}))
	cc, err := evenkeel.NewClient("dns://10.0.0.53/payments.example.com?tls=dns.example.com",
		grpc.WithResolvers(builder),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = cc.Close() }()
	fmt.Println(cc.CanonicalTarget(), cc.GetState())
	// Output: dns://10.0.0.53/payments.example.com IDLE
}
