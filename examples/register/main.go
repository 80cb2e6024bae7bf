// Command register keeps a server registered in etcd and calls it through a
// channel that finds it there. It needs an etcd:
//
//	go run ./examples/register -etcd 127.0.0.1:2379
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/evenkeel-grpc/evenkeel"
	"github.com/evenkeel-grpc/evenkeel/resolvers/etcd"
)

func main() {
	addr := flag.String("etcd", "127.0.0.1:2379", "host:port of etcd")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := run(ctx, *addr); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, addr string) error {
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{addr}})
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()

	var lc net.ListenConfig
	lis, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := grpc.NewServer()
	healthpb.RegisterHealthServer(server, health.NewServer())
	go func() { _ = server.Serve(lis) }()

	entry, err := etcd.Register(ctx, client, etcd.Registration{
		Prefix:   "services/hello",
		Addr:     lis.Addr().String(),
		Metadata: map[string]string{"zone": "a"},
		Weight:   5,
	})
	if err != nil {
		return err
	}
	if err := call(ctx, "etcd://"+addr+"/services/hello"); err != nil {
		return err
	}
	if err := entry.Ready(ctx); err != nil { // a client may see the entry before we know
		return err
	}
	fmt.Println(entry.Key(), "is", entry.Status().State)

	if err := entry.Drain(ctx); err != nil { // nobody begins anything new here
		return err
	}
	server.GracefulStop() // and what has begun may end
	<-entry.Done()
	fmt.Println(entry.Key(), "is", entry.Status().State)
	return nil
}

// call makes one RPC to whoever is registered.
func call(ctx context.Context, target string) error {
	cc, err := evenkeel.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer func() { _ = cc.Close() }()
	reply, err := healthpb.NewHealthClient(cc).Check(ctx, &healthpb.HealthCheckRequest{}, grpc.WaitForReady(true))
	if err != nil {
		return err
	}
	fmt.Println("the server that was found is", reply.GetStatus())
	return nil
}
