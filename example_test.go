package evenkeel_test

import (
	"fmt"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/evenkeel-grpc/evenkeel"
)

func ExampleNewClient() {
	cc, err := evenkeel.NewClient("dns:///payments.example.com:443",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		evenkeel.WithServiceConfig(`{"loadBalancingConfig":[{"round_robin":{}}]}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = cc.Close() }()
	fmt.Println(cc.CanonicalTarget(), cc.GetState())
	// Output: dns:///payments.example.com:443 IDLE
}

// The resolver of this target has not been imported.
func ExampleNewClient_unknownScheme() {
	_, err := evenkeel.NewClient("consul:///payments?tag=v2", grpc.WithTransportCredentials(insecure.NewCredentials()))
	before, _, _ := strings.Cut(err.Error(), " (registered")
	fmt.Println(before)
	// Output:
	// evenkeel: target "consul:///payments?tag=xxxxx": registry: unknown plugin: no resolver "consul": its package is not imported, add import _ "github.com/evenkeel-grpc/evenkeel/resolvers/consul"
}

// grpc would have used pick_first in silence.
func ExampleWithServiceConfig() {
	_, err := evenkeel.NewClient("dns:///payments.example.com:443",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		evenkeel.WithServiceConfig(`{"loadBalancingPolicy":"RoundRobin"}`))
	before, _, _ := strings.Cut(err.Error(), " (registered")
	fmt.Println(before)
	// Output:
	// evenkeel: registry: service config: $.loadBalancingPolicy (1:24): no balancer "RoundRobin", grpc would use pick_first: did you mean "round_robin"?
}
