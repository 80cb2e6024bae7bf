package roundrobin_test

import (
	"context"
	"fmt"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"

	_ "github.com/evenkeel-grpc/evenkeel/balancers/roundrobin"
)

func Example() {
	// Two servers, and a resolver that knows them.
	backends := manual.NewBuilderWithScheme("example")
	var list resolver.State
	for range 2 {
		lis, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // an example without a context of its own
		if err != nil {
			fmt.Println(err)
			return
		}
		s := grpc.NewServer()
		healthpb.RegisterHealthServer(s, health.NewServer())
		go s.Serve(lis) //nolint:errcheck // ends with Stop
		defer s.Stop()
		list.Addresses = append(list.Addresses, resolver.Address{Addr: lis.Addr().String()})
	}
	backends.InitialState(list)

	cc, err := grpc.NewClient("example:///greeter",
		grpc.WithResolvers(backends),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig":[{"round_robin":{}}]}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer cc.Close() //nolint:errcheck // nothing to lose

	client, served := healthpb.NewHealthClient(cc), map[string]bool{}
	for len(served) < 2 { // the second connection may take a moment longer
		var p peer.Peer
		if _, err := client.Check(context.Background(), &healthpb.HealthCheckRequest{}, grpc.Peer(&p)); err != nil {
			fmt.Println(err)
			return
		}
		served[p.Addr.String()] = true
	}
	fmt.Println("servers reached:", len(served))
	// Output: servers reached: 2
}
