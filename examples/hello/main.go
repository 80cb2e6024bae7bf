// Hello makes one RPC to a service that is registered in etcd.
package main

import (
	"context"
	"fmt"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/evenkeel-grpc/evenkeel"
	_ "github.com/evenkeel-grpc/evenkeel/balancers/roundrobin"
	_ "github.com/evenkeel-grpc/evenkeel/resolvers/etcd"
)

func main() {
	cc, err := evenkeel.NewClient("etcd://127.0.0.1:2379/services/payments",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		evenkeel.WithServiceConfig(`{"loadBalancingConfig":[{"round_robin":{}}]}`))
	if err != nil {
		fmt.Fprintln(os.Stderr, err) // a misspelt policy, a missing import, ...
		os.Exit(2)
	}
	reply, err := healthpb.NewHealthClient(cc).Check(context.Background(), &healthpb.HealthCheckRequest{})
	fmt.Println(reply.GetStatus(), err)
}
