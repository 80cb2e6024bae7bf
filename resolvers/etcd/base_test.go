package etcd_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/balancer/base"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/test/bufconn"

	"github.com/evenkeel-grpc/evenkeel/resolvers/etcd"
)

// heaviest is a policy on grpc's balancer/base, as third parties write them: all
// RPCs go to the address with the greatest weight.
const heaviest = "etcd_test_heaviest"

func init() {
	balancer.Register(base.NewBalancerBuilder(heaviest, &seen, base.Config{}))
}

var seen addresses

// addresses has those of which the policy last built a picker.
type addresses struct {
	mu   sync.Mutex // guards the fields below
	list []string   // each with its weight
	made int        // pickers
}

func (s *addresses) Build(info base.PickerBuildInfo) balancer.Picker {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = nil
	s.made++
	var p picker
	most := uint32(0)
	for sc, i := range info.ReadySCs {
		e := resolver.Endpoint{Attributes: i.Address.BalancerAttributes}
		w, _ := etcd.Weight(e)
		if m, _ := etcd.Metadata(e); string(m) != fmt.Sprintf(`{"weight":%d}`, w) {
			w = 0
		}
		s.list = append(s.list, fmt.Sprintf("%s*%d", i.Address.Addr, w))
		if w >= most {
			p.sc, most = sc, w
		}
	}
	return p
}

// want fails the test unless there is a new picker, of exactly these addresses.
func (s *addresses) want(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	slices.Sort(s.list)
	if s.made == 0 || !slices.Equal(s.list, want) {
		t.Errorf("the policy built %d pickers, the last from %q, want one from %q", s.made, s.list, want)
	}
	s.made = 0
}

type picker struct{ sc balancer.SubConn }

func (p picker) Pick(balancer.PickInfo) (balancer.PickResult, error) {
	if p.sc == nil {
		return balancer.PickResult{}, balancer.ErrNoSubConnAvailable
	}
	return balancer.PickResult{SubConn: p.sc}, nil
}

// weighing is the value of a key for an address with a weight.
func weighing(weight int, addr string) string {
	return fmt.Sprintf(`{"Addr":%q,"Metadata":{"weight":%d}}`, addr, weight)
}

// startServers starts real servers, in the bubble of t, and returns a dialer to
// them. Each knows the health of the service that is called like its address.
func startServers(t *testing.T, addrs ...string) func(context.Context, string) (net.Conn, error) {
	t.Helper()
	listeners := map[string]*bufconn.Listener{}
	for _, a := range addrs {
		lis, server, h := bufconn.Listen(1<<16), grpc.NewServer(), health.NewServer()
		h.SetServingStatus(a, healthpb.HealthCheckResponse_SERVING)
		healthpb.RegisterHealthServer(server, h)
		go func() { _ = server.Serve(lis) }()
		t.Cleanup(server.Stop)
		listeners[a] = lis
	}
	return func(ctx context.Context, addr string) (net.Conn, error) { return listeners[addr].DialContext(ctx) }
}

// A policy on balancer/base sees weight and metadata as they were when it first
// saw an address: its map of addresses keeps that one.
func TestBasePolicyReadsTheFirstWeight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeEtcd()
		f.revision = 1
		f.keys = map[string]string{"x/a": weighing(1, "a:1"), "x/b": weighing(5, "b:1")}
		client := dial(t, "etcd:///x",
			grpc.WithResolvers(etcd.NewBuilder(etcd.WithClient(f.client(t)))),
			grpc.WithContextDialer(startServers(t, "a:1", "b:1")),
			grpc.WithDefaultServiceConfig(`{"loadBalancingConfig":[{"`+heaviest+`":{}}]}`))
		wantServer := func(addr string) {
			t.Helper()
			if _, err := client.Check(t.Context(), &healthpb.HealthCheckRequest{Service: addr}); err != nil {
				t.Errorf("RPC for %s: %v", addr, err)
			}
		}
		_, _ = client.Check(t.Context(), &healthpb.HealthCheckRequest{}) // connects
		w := <-f.opened
		seen.want(t, "a:1*1", "b:1*5")
		wantServer("b:1")

		w.responses <- change(clientv3.EventTypePut, "x/a", weighing(9, "a:1"))
		seen.want(t, "a:1*1", "b:1*5")
		wantServer("b:1")

		w.responses <- del("x/a")
		seen.want(t, "b:1*5")
		w.responses <- change(clientv3.EventTypePut, "x/a", weighing(9, "a:1"))
		seen.want(t, "a:1*9", "b:1*5")
		wantServer("a:1")
	})
}
