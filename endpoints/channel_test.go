package endpoints_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"

	"github.com/evenkeel-grpc/evenkeel/endpoints"
	"github.com/evenkeel-grpc/evenkeel/internal/fakecc"
	"github.com/evenkeel-grpc/evenkeel/scstate"
)

// The policies of these tests, by the ways in which a builder may come to New.
const (
	wrapped      = "endpoints_wrapped"      // behind a feed
	bare         = "endpoints_bare"         // registered with grpc alone
	intercepting = "endpoints_intercepting" // behind a feed; embeds its ClientConn
	bareParent   = "endpoints_bare_parent"  // without a feed, and embeds its ClientConn
	noPicker     = "endpoints_no_picker"
	nilPicker    = "endpoints_nil_picker"
)

func init() {
	balancer.Register(scstate.Wrap(named{wrapped}))
	balancer.Register(named{bare})
	balancer.Register(scstate.Wrap(parent{intercepting}))
	balancer.Register(wrong{noPicker, nil})
	balancer.Register(scstate.Wrap(wrong{nilPicker, func(*endpoints.Ring) balancer.Picker { return nil }}))
}

// named is the least policy under a name.
type named struct{ name string }

func (n named) Name() string { return n.name }

func (n named) Build(cc balancer.ClientConn, opts balancer.BuildOptions) balancer.Balancer {
	return policy{}.Build(cc, opts)
}

// wrong is a policy that makes a mistake.
type wrong struct {
	name      string
	newPicker func(*endpoints.Ring) balancer.Picker
}

func (w wrong) Name() string { return w.name }

func (w wrong) Build(cc balancer.ClientConn, opts balancer.BuildOptions) balancer.Balancer {
	return endpoints.New(cc, opts, endpoints.Policy{Name: w.name, NewPicker: w.newPicker})
}

// parent is a petiole policy, which sees what the engine reports and wraps its
// pickers.
type parent struct{ name string }

func (p parent) Name() string { return p.name }

func (p parent) Build(cc balancer.ClientConn, opts balancer.BuildOptions) balancer.Balancer {
	i := &interceptor{ClientConn: cc}
	i.Balancer = policy{}.Build(i, opts)
	return i
}

type interceptor struct {
	balancer.ClientConn
	balancer.Balancer
	states int // without a lock where a feed makes one needless; the race detector looks on
}

func (i *interceptor) UpdateState(s balancer.State) {
	i.states++
	s.Picker = passing{s.Picker}
	i.ClientConn.UpdateState(s)
}

func (i *interceptor) UpdateClientConnState(s balancer.ClientConnState) error {
	i.states++
	return i.Balancer.UpdateClientConnState(s)
}

type passing struct{ balancer.Picker }

// serve starts a server that answers health checks.
func serve(t *testing.T) (addr string) {
	t.Helper()
	lis := listen(t)
	s := grpc.NewServer()
	healthpb.RegisterHealthServer(s, health.NewServer())
	go func() { _ = s.Serve(lis) }()
	t.Cleanup(s.Stop)
	return lis.Addr().String()
}

// listen listens on a free port. Until somebody accepts, a connection is
// established and never answered.
func listen(t *testing.T) net.Listener {
	t.Helper()
	lis, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lis.Close() })
	return lis
}

// dial returns a channel with a policy over the endpoints.
func dial(t *testing.T, name string, list ...resolver.Endpoint) *grpc.ClientConn {
	t.Helper()
	r := manual.NewBuilderWithScheme("test")
	r.InitialState(resolver.State{Endpoints: list})
	cc, err := grpc.NewClient("test:///", grpc.WithResolvers(r),
		grpc.WithDefaultServiceConfig(fmt.Sprintf(`{"loadBalancingConfig":[{%q:{}}]}`, name)),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cc.Close(); err != nil {
			t.Error(err)
		}
	})
	return cc
}

func check(t *testing.T, cc *grpc.ClientConn, opts ...grpc.CallOption) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	_, err := healthpb.NewHealthClient(cc).Check(ctx, &healthpb.HealthCheckRequest{}, opts...)
	return err
}

// The first address of each endpoint is silent, so an RPC needs happy eyeballs,
// which need a feed.
func TestTheEngineWorksOnAnyClientConn(t *testing.T) {
	for _, name := range []string{wrapped, bare, intercepting} {
		t.Run(name, func(t *testing.T) {
			cc := dial(t, name,
				multi(listen(t).Addr().String(), serve(t)),
				multi(listen(t).Addr().String(), listen(t).Addr().String(), serve(t)))
			for range 10 {
				if err := check(t, cc, grpc.WaitForReady(true)); err != nil {
					t.Fatalf("RPC: %v", err)
				}
			}
		})
	}
}

// A parent without a feed has to have a lock, like every policy of grpc's; this
// one has none, and is called by one goroutine at a time all the same.
func TestTheEngineUnderAParentWithoutAFeed(t *testing.T) {
	h := &harness{ClientConn: &fakecc.ClientConn{}, TB: t}
	h.balancer = parent{bareParent}.Build(h.ClientConn, balancer.BuildOptions{})
	h.resolve("a:1", "b:1")
	h.set(ready, "a:1", "b:1")
	if got := len(h.TakeStates()); got != 3 {
		t.Errorf("states that came through the parent = %d, want 3", got)
	}
	h.picks(2) // of SubConns of the channel's own
	h.balancer.Close()
}

func TestAnEngineThatCannotWorkSaysWhy(t *testing.T) {
	for name, want := range map[string]string{
		noPicker:  `endpoints: policy "endpoints_no_picker": Policy.NewPicker is nil: want a function that returns a picker over the Ring`,
		nilPicker: `endpoints: policy "endpoints_nil_picker": Policy.NewPicker returned nil: want a picker over the Ring`,
	} {
		t.Run(name, func(t *testing.T) {
			cc := dial(t, name, multi(serve(t)))
			if err := check(t, cc); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("RPC = %v, want an error with %q", err, want)
			}
			if got := cc.GetState(); got != connectivity.TransientFailure {
				t.Errorf("state = %v, want TRANSIENT_FAILURE", got)
			}
		})
	}
}

func TestAnEngineWithoutClientConnSaysWhy(t *testing.T) {
	b := policy{}.Build(nil, balancer.BuildOptions{})
	defer b.Close()
	b.ResolverError(errRefused)
	err := b.UpdateClientConnState(balancer.ClientConnState{})
	if want := `endpoints: policy "endpoints_test": New got no ClientConn: want the one that Build received`; err == nil || err.Error() != want {
		t.Errorf("UpdateClientConnState = %v, want %q", err, want)
	}
}
