package registry_test

import (
	"testing"

	"google.golang.org/grpc"
	_ "google.golang.org/grpc/balancer/grpclb"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/evenkeel-grpc/evenkeel/registry"
)

// FuzzCheckServiceConfig holds the check against grpc: whatever passes, grpc
// has to accept.
func FuzzCheckServiceConfig(f *testing.F) {
	for _, tt := range refused {
		f.Add(tt.js)
	}
	f.Add(`{"loadBalancingConfig":[{"grpclb":{"childPolicy":[{"pick_first":{}}],"serviceName":"s"}}],"methodConfig":[{"name":[{"service":"\ud800"},{"service":"\ufffd"}]}]}`)
	f.Add(`{"methodConfig":[{"name":[{"service":"a"}],"timeout":".5s","retryPolicy":{"maxAttempts":2,"initialBackoff":"1s","maxBackoff":"1s","backoffMultiplier":1e999,"retryableStatusCodes":["\u0055NAVAILABLE"]}}]}`)
	f.Fuzz(func(t *testing.T, js string) {
		if registry.CheckServiceConfig(js) != nil {
			return
		}
		if err := grpcAccepts(js); err != nil {
			t.Errorf("CheckServiceConfig(%q) = nil, but grpc says %v", js, err)
		}
	})
}

// grpcAccepts gives a service config to grpc's own parser.
func grpcAccepts(js string) error {
	cc, err := grpc.NewClient("passthrough:///x", grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultServiceConfig(js))
	if err != nil {
		return err
	}
	return cc.Close()
}
