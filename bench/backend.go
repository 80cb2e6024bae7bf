package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/protobuf/types/known/emptypb"
)

// echoMethod is the one method of the backends: an empty message for an empty
// message.
const echoMethod = "/evenkeel.bench.Echo/Echo"

var echoService = grpc.ServiceDesc{
	ServiceName: "evenkeel.bench.Echo",
	Methods: []grpc.MethodDesc{{
		MethodName: "Echo",
		Handler: func(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			in := new(emptypb.Empty)
			return in, decode(in)
		},
	}},
}

// backend is one gRPC server that stands for any number of them: it answers at
// each address of the loopback network.
type backend struct {
	server *grpc.Server
	port   int
}

func startBackend(ctx context.Context) (*backend, error) {
	lis, err := (&net.ListenConfig{}).Listen(ctx, "tcp4", "0.0.0.0:0") // every 127.x.y.z
	if err != nil {
		return nil, err
	}
	addr, ok := lis.Addr().(*net.TCPAddr)
	if !ok {
		return nil, errors.Join(fmt.Errorf("bench: listener has address %v, want TCP", lis.Addr()), lis.Close())
	}
	b := &backend{server: grpc.NewServer(), port: addr.Port}
	b.server.RegisterService(&echoService, nil)
	go func() {
		_ = b.server.Serve(lis) // Returns when stop is called; RPCs would fail otherwise.
	}()
	return b, nil
}

func (b *backend) stop() { b.server.Stop() }

var channels atomic.Int64 // so far, for their targets

// dial returns a channel to the endpoints that is connecting, with one side's
// round_robin.
func dial(s *side, c *census, list []resolver.Endpoint) (*grpc.ClientConn, error) {
	id := strconv.FormatInt(channels.Add(1), 10)
	r := manual.NewBuilderWithScheme("bench")
	r.InitialState(resolver.State{Endpoints: list})
	censuses.Store(id, c)
	cc, err := grpc.NewClient("bench:///"+id,
		grpc.WithResolvers(r),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig":[{"`+s.policy+`":{}}]}`))
	if err != nil {
		return nil, err
	}
	cc.Connect()
	return cc, nil
}

// dialReady is dial that waits until all endpoints are READY.
func dialReady(ctx context.Context, s *side, list []resolver.Endpoint) (*grpc.ClientConn, error) {
	c := newCensus(len(list))
	cc, err := dial(s, c, list)
	if err != nil {
		return nil, err
	}
	select {
	case <-c.allReady:
		return cc, nil
	case <-ctx.Done():
		return nil, errors.Join(fmt.Errorf("%d of %d endpoints READY: %w", c.ready.Load(), len(list), ctx.Err()), cc.Close())
	}
}

func echo(ctx context.Context, cc *grpc.ClientConn, opts ...grpc.CallOption) error {
	return cc.Invoke(ctx, echoMethod, &emptypb.Empty{}, &emptypb.Empty{}, opts...)
}

// callMany makes RPCs on as many goroutines as given while more returns true,
// and returns the first error.
func callMany(ctx context.Context, cc *grpc.ClientConn, callers int, more func() bool) error {
	errs := make([]error, callers)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			for more() && errs[i] == nil {
				errs[i] = echo(ctx, cc)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
