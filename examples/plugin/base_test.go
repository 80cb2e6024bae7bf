package main

import (
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/balancer/base"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/evenkeel-grpc/evenkeel"
	"github.com/evenkeel-grpc/evenkeel/registry"
)

func init() {
	registry.Default.MustRegisterBalancer(base.NewBalancerBuilder("plain", plain{}, base.Config{}))
}

// plain is a policy on grpc's balancer/base, which knows no endpoints. It picks any
// connection.
type plain struct{ sc balancer.SubConn }

func (plain) Build(info base.PickerBuildInfo) balancer.Picker {
	for sc := range info.ReadySCs {
		return plain{sc}
	}
	return base.NewErrPicker(balancer.ErrNoSubConnAvailable)
}

func (p plain) Pick(balancer.PickInfo) (balancer.PickResult, error) {
	return balancer.PickResult{SubConn: p.sc}, nil
}

func TestResolverServesPoliciesThatKnowNoEndpoints(t *testing.T) {
	lis, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	healthpb.RegisterHealthServer(s, health.NewServer())
	go func() { _ = s.Serve(lis) }()
	defer s.Stop()

	cc, err := evenkeel.NewClient("static:///"+lis.Addr().String(),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		evenkeel.WithServiceConfig(`{"loadBalancingConfig":[{"plain":{}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cc.Close() }()
	if _, err := healthpb.NewHealthClient(cc).Check(t.Context(), &healthpb.HealthCheckRequest{}); err != nil {
		t.Error(err)
	}
}
