package consul_test

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/consul/api"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/evenkeel-grpc/evenkeel"
	"github.com/evenkeel-grpc/evenkeel/resolvers/consul"
)

// RPCs do not hang while Consul cannot be reached; they fail with the cause
// until it can. (Nobody listens on port 1.)
func Example() {
	cc, err := evenkeel.NewClient("consul://127.0.0.1:1/payments",
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
	// consul: "payments": asking Consul: dial tcp 127.0.0.1:1: connect: connection refused
}

// A target that the resolver does not understand is refused before any RPC.
func Example_malformedTarget() {
	_, err := evenkeel.NewClient("consul:///payments?health=good",
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	fmt.Println(err)
	// Output:
	// evenkeel: target "consul:///payments?health=xxxxx": consul: parameter health="good": want one of passing, warning, any, healthy, fallbackToUnhealthy
}

// grpc gets to see a reference in the place of a token.
func Example_token() {
	cc, err := evenkeel.NewClient("consul:///payments?token=b1gs33cr3t",
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = cc.Close() }()
	fmt.Println(cc.CanonicalTarget(), cc.GetState())
	// Output: consul:///payments IDLE
}

// A config of the program takes the place of the environment.
func ExampleWithConfig() {
	builder := consul.NewBuilder(consul.WithConfig(&api.Config{Address: "10.0.0.1:8500", TokenFile: "/run/secrets/consul"}))
	cc, err := evenkeel.NewClient("consul:///payments",
		grpc.WithResolvers(builder),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = cc.Close() }()
	fmt.Println(cc.CanonicalTarget(), cc.GetState())
	// Output: consul:///payments IDLE
}

// A registration needs no agent to begin with. It goes on until its context ends.
// (Nobody listens on port 1.)
func ExampleRegister() {
	client, err := api.NewClient(&api.Config{Address: "127.0.0.1:1"})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	statuses := make(chan consul.Status, 1)
	r, err := consul.Register(ctx, consul.Registration{
		Service: "payments",
		Addr:    "10.0.0.1:9000",
		Tags:    []string{"v2"},
		Checks:  []*api.AgentServiceCheck{consul.GRPCCheck("", 10*time.Second)},
		Client:  client,
		OnStatus: func(s consul.Status) {
			select {
			case statuses <- s:
			default: // only the first one is looked at
			}
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	first := <-statuses
	fmt.Println(first.State, first.Err)
	cancel()
	<-r.Done()
	fmt.Println(r.Status().State)
	// Output:
	// retrying registering: dial tcp 127.0.0.1:1: connect: connection refused
	// stopped
}
