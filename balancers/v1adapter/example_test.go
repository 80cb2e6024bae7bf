package v1adapter_test

import (
	"context"
	"fmt"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/evenkeel-grpc/evenkeel/balancers/v1adapter"
	"github.com/evenkeel-grpc/evenkeel/balancers/v1adapter/naming"
)

// The DNS resolver does not look up an IP address. examples/v1 has a resolver
// of its own.
func Example() {
	lis, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // an example without a context of its own
	if err != nil {
		fmt.Println(err)
		return
	}
	s := grpc.NewServer()
	healthpb.RegisterHealthServer(s, health.NewServer())
	go s.Serve(lis) //nolint:errcheck // ends with Stop
	defer s.Stop()

	dns, err := naming.NewDNSResolver()
	if err != nil {
		fmt.Println(err)
		return
	}
	cc, err := grpc.NewClient(lis.Addr().String(), append(v1adapter.DialOptions(v1adapter.RoundRobin(dns)),
		grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer cc.Close() //nolint:errcheck // nothing to lose

	reply, err := healthpb.NewHealthClient(cc).Check(context.Background(), &healthpb.HealthCheckRequest{}, grpc.WaitForReady(true))
	fmt.Println(reply.GetStatus(), err)
	// Output: SERVING <nil>
}
