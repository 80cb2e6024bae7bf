package demo

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
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
	// drainLimit is how long a channel may take to leave a server that is drained.
	drainLimit = 10 * time.Second
)

// backend is one greeter server, registered under a lease of its own.
type backend struct {
	pb.UnimplementedGreeterServer

	addr   string
	key    string
	server *grpc.Server
	served chan struct{} // closed when Serve has returned
	conns  atomic.Int64  // connections that are open
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
		_ = b.server.Serve(&listener{lis, &b.conns}) // It returns when the server is stopped.
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

// drain takes the server out of the registry, waits until the channel has left,
// and stops it. No RPC is cut short: a channel closes a connection that it does
// not use any more once the last RPC on it has ended. It returns when the write
// began.
func (b *backend) drain(ctx context.Context, c *clientv3.Client) (time.Time, error) {
	began := time.Now()
	if _, err := c.Delete(ctx, b.key); err != nil {
		return began, fmt.Errorf("draining %s: %w", b.addr, err)
	}
	for b.conns.Load() > 0 {
		if time.Since(began) > drainLimit {
			return began, fmt.Errorf("draining %s: the channel is still connected after %v", b.addr, drainLimit)
		}
		if err := sleep(ctx, time.Millisecond); err != nil {
			return began, err
		}
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

// listener counts the connections that are open.
type listener struct {
	net.Listener
	open *atomic.Int64
}

func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.open.Add(1)
	return &conn{c, sync.OnceFunc(func() { l.open.Add(-1) })}, nil
}

// conn calls closed when it is closed for the first time.
type conn struct {
	net.Conn
	closed func()
}

func (c *conn) Close() error {
	c.closed()
	return c.Conn.Close()
}
