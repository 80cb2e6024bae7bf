// Plugin is a balancer and a resolver of one's own, used on three servers.
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/evenkeel-grpc/evenkeel"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	var addrs []string
	for range 3 {
		lis, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		s := grpc.NewServer()
		healthpb.RegisterHealthServer(s, health.NewServer())
		go s.Serve(lis) //nolint:errcheck // ends with Stop
		defer s.Stop()
		addrs = append(addrs, lis.Addr().String())
	}

	cc, err := evenkeel.NewClient("static:///"+strings.Join(addrs, ","),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		evenkeel.WithServiceConfig(`{"loadBalancingConfig":[{"counted":{}}]}`))
	if err != nil {
		return err
	}
	defer cc.Close() //nolint:errcheck // nothing to lose

	client := healthpb.NewHealthClient(cc)
	for range 9 {
		if _, err := client.Check(ctx, &healthpb.HealthCheckRequest{}); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintln(out, "finished RPCs:", finished.Load())
	return err
}
