package etcd_test

import (
	"context"
	"fmt"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/evenkeel-grpc/evenkeel"
	"github.com/evenkeel-grpc/evenkeel/resolvers/etcd"
)

// RPCs do not hang while etcd cannot be reached; they fail with the cause until
// it can. (Nobody listens on port 1.)
func Example() {
	cc, err := evenkeel.NewClient("etcd://127.0.0.1:1/services/payments",
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
	// etcd: "services/payments/": connecting to etcd: connection error: desc = "transport: Error while dialing: dial tcp 127.0.0.1:1: connect: connection refused"
}

// A target that the resolver does not understand is refused before any RPC.
func Example_malformedTarget() {
	_, err := evenkeel.NewClient("etcd://10.0.0.1:2379,10.0.0.2:2379/services/payments?garce=1m",
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	fmt.Println(err)
	// Output:
	// evenkeel: target "etcd://10.0.0.1:2379,10.0.0.2:2379/services/payments?garce=xxxxx": etcd: unknown parameter "garce" (did you mean "grace"? known: ca-file, cert-file, client, config-key, dial-timeout, format, grace, key, key-file, namespace, page, password-file, server-name, user)
}

// TLS, a user and a password are the client's affair.
func ExampleWithClient() {
	client, err := clientv3.New(clientv3.Config{
		Endpoints:         []string{"10.0.0.1:2379", "10.0.0.2:2379"},
		DialKeepAliveTime: 10 * time.Second,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = client.Close() }()

	cc, err := evenkeel.NewClient("etcd:///services/payments",
		grpc.WithResolvers(etcd.NewBuilder(etcd.WithClient(client))),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = cc.Close() }()
	fmt.Println(cc.CanonicalTarget(), cc.GetState())
	// Output: etcd:///services/payments IDLE
}

// A server registers when it serves, and drains before it stops.
func ExampleRegister() {
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{"10.0.0.1:2379"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = client.Close() }()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	entry, err := etcd.Register(ctx, client, etcd.Registration{
		Prefix:   "services/payments",
		Addr:     "10.0.0.7:9000",
		Metadata: map[string]string{"zone": "a"},
		Weight:   5,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(entry.Key(), entry.Status().State)

	cancel() // or entry.Drain, which lets clients notice first
	<-entry.Done()
	fmt.Println(entry.Key(), entry.Status().State)
	// Output:
	// services/payments/10.0.0.7:9000 registering
	// services/payments/10.0.0.7:9000 stopped
}
