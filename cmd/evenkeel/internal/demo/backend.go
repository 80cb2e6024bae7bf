package demo

import (
	"context"
	"fmt"
	"net"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/naming/endpoints"
	"google.golang.org/grpc"
	pb "google.golang.org/grpc/examples/helloworld/helloworld"
)

const (
	// prefix is where the servers register.
	prefix = "demo/greeter"
	// leaseTTL is how long a crashed server stays registered, in seconds. It is
	// the least that etcd grants.
	leaseTTL = 2
)

// backend is one greeter server, registered under a lease of its own.
type backend struct {
	pb.UnimplementedGreeterServer

	addr   string
	key    string
	server *grpc.Server
	served chan struct{} // closed when Serve has returned
	stop   context.CancelFunc
	kept   chan struct{} // closed when the lease is no longer kept alive
}

// SayHello implements the greeter.
func (b *backend) SayHello(_ context.Context, req *pb.HelloRequest) (*pb.HelloReply, error) {
	return &pb.HelloReply{Message: "Hello " + req.GetName()}, nil
}

// startBackend starts a server on a free port. It is not registered yet.
func startBackend(ctx context.Context) (*backend, error) {
	lis, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("starting a server: %w", err)
	}
	b := &backend{
		addr:   lis.Addr().String(),
		server: grpc.NewServer(),
		served: make(chan struct{}),
		stop:   func() {},
		kept:   make(chan struct{}),
	}
	b.key = prefix + "/" + b.addr
	pb.RegisterGreeterServer(b.server, b)
	go func() {
		defer close(b.served)
		_ = b.server.Serve(lis) // It returns when the server is stopped.
	}()
	return b, nil
}

// register makes the server known, and keeps it so. It returns when the write
// began.
func (b *backend) register(ctx context.Context, c *clientv3.Client) (time.Time, error) {
	manager, err := endpoints.NewManager(c, prefix)
	if err != nil {
		return time.Time{}, err
	}
	lease, err := c.Grant(ctx, leaseTTL)
	if err != nil {
		return time.Time{}, fmt.Errorf("lease for %s: %w", b.addr, err)
	}
	keep, cancel := context.WithCancel(context.WithoutCancel(ctx))
	alive, err := c.KeepAlive(keep, lease.ID)
	if err != nil {
		cancel()
		return time.Time{}, fmt.Errorf("keeping the lease of %s: %w", b.addr, err)
	}
	b.stop = cancel
	go func() {
		defer close(b.kept)
		for range alive { // until stop
		}
	}()
	began := time.Now()
	if err := manager.AddEndpoint(ctx, b.key, endpoints.Endpoint{Addr: b.addr}, clientv3.WithLease(lease.ID)); err != nil {
		return time.Time{}, fmt.Errorf("registering %s: %w", b.addr, err)
	}
	return began, nil
}

// drain takes the server out of the registry and, after a pause in which the
// channel hears of it, stops it without cutting an RPC short. It returns when
// the write began.
func (b *backend) drain(ctx context.Context, c *clientv3.Client, pause time.Duration) (time.Time, error) {
	began := time.Now()
	if _, err := c.Delete(ctx, b.key); err != nil {
		return began, fmt.Errorf("draining %s: %w", b.addr, err)
	}
	if err := sleep(ctx, pause); err != nil {
		return began, err
	}
	b.server.GracefulStop()
	b.close()
	return began, nil
}

// crash ends the server as a kill would: connections break, and nobody tells the
// registry. It returns when the registry notices.
func (b *backend) crash(ctx context.Context, c *clientv3.Client) (time.Time, error) {
	watched, cancel := context.WithCancel(ctx)
	defer cancel()
	deleted := c.Watch(watched, b.key, clientv3.WithFilterPut())
	b.close()
	for resp := range deleted {
		if err := resp.Err(); err != nil {
			return time.Time{}, fmt.Errorf("watching %s expire: %w", b.addr, err)
		}
		if len(resp.Events) > 0 {
			return time.Now(), nil
		}
	}
	return time.Time{}, ctx.Err()
}

// close stops the server at once and lets its lease expire. It may be called
// again.
func (b *backend) close() {
	b.stop()
	b.server.Stop()
	<-b.served
}
