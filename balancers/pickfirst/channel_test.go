package pickfirst_test

import (
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/status"
)

// A channel without a service config uses the pick_first that package grpc found
// in its init. On an endpoint without addresses (B3) ours fails, where grpc-go's
// leaves the RPC waiting for its deadline.
func TestA10ChannelWithoutServiceConfigUsesOurs(t *testing.T) {
	r := manual.NewBuilderWithScheme("test")
	r.InitialState(resolver.State{Endpoints: []resolver.Endpoint{{}}})
	cc, err := grpc.NewClient("test:///", grpc.WithResolvers(r), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cc.Close(); err != nil {
			t.Error(err)
		}
	})
	_, err = healthpb.NewHealthClient(cc).Check(t.Context(), &healthpb.HealthCheckRequest{})
	if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "produced zero addresses") {
		t.Errorf("RPC error = %v, want UNAVAILABLE with pick_first's cause", err)
	}
}
