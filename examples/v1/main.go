// V1 is a client of grpc-go's old API, with its imports changed: RoundRobin over
// a naming.Resolver of its own, whose three servers come and go.
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/peer"

	"github.com/evenkeel-grpc/evenkeel/balancers/v1adapter"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	names := map[string]string{} // of the servers, by address
	var addrs []string
	for _, name := range []string{"one", "two", "three"} {
		lis, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		s := grpc.NewServer()
		healthpb.RegisterHealthServer(s, health.NewServer())
		go s.Serve(lis) //nolint:errcheck // ends with Stop
		defer s.Stop()
		addrs = append(addrs, lis.Addr().String())
		names[lis.Addr().String()] = name
	}

	inventory := newInventory()
	cc, err := grpc.NewClient("greeter", append(v1adapter.DialOptions(v1adapter.RoundRobin(inventory)),
		grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		return err
	}
	defer cc.Close() //nolint:errcheck // nothing to lose

	for _, up := range [][]string{addrs[:1], addrs, addrs[1:]} {
		inventory.set(up)
		seen, err := await(ctx, cc, len(up))
		if err != nil {
			return err
		}
		var reached []string
		for _, addr := range seen {
			reached = append(reached, names[addr])
		}
		slices.Sort(reached)
		if _, err := fmt.Fprintln(out, "RPCs reach", strings.Join(reached, ", ")); err != nil {
			return err
		}
	}
	return nil
}

// await makes RPCs until a turn over n servers reaches each of them once, and
// returns their addresses.
func await(ctx context.Context, cc *grpc.ClientConn, n int) ([]string, error) {
	for {
		var seen []string
		for range 2 * n {
			var p peer.Peer
			_, err := healthpb.NewHealthClient(cc).Check(ctx, &healthpb.HealthCheckRequest{}, grpc.WaitForReady(true), grpc.Peer(&p))
			if err != nil {
				return nil, err
			}
			seen = append(seen, p.Addr.String())
		}
		slices.Sort(seen)
		if seen = slices.Compact(seen); len(seen) == n {
			return seen, nil
		}
	}
}
