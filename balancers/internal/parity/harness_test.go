package parity_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/balancer"
	grpcpickfirst "google.golang.org/grpc/balancer/pickfirst"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/serviceconfig"

	"github.com/evenkeel-grpc/evenkeel/balancers/pickfirst"
	"github.com/evenkeel-grpc/evenkeel/balancers/roundrobin"
	"github.com/evenkeel-grpc/evenkeel/internal/builtin"
	"github.com/evenkeel-grpc/evenkeel/internal/fakecc"
	"github.com/evenkeel-grpc/evenkeel/registry"
)

const (
	idle       = connectivity.Idle
	connecting = connectivity.Connecting
	ready      = connectivity.Ready
	failure    = connectivity.TransientFailure
)

// The policies that are compared.
const (
	pickFirst  = pickfirst.Name
	roundRobin = roundrobin.Name
)

// parking is what a pick returns that makes the RPC wait.
var parking = balancer.ErrNoSubConnAvailable.Error()

// builders returns grpc-go's policy of a name, and ours.
func builders(tb testing.TB, policy string) (grpcGo, evenkeel balancer.Builder) {
	tb.Helper()
	get := builtin.PickFirst
	if policy == roundRobin {
		get = builtin.RoundRobin
	}
	grpcGo, err := get()
	if err != nil {
		tb.Fatal(err)
	}
	evenkeel, err = registry.Default.Balancer(policy)
	if err != nil {
		tb.Fatal(err)
	}
	return grpcGo, evenkeel
}

// harness is one side's policy on a fake channel, in a bubble.
type harness struct {
	*fakecc.ClientConn
	*testing.T

	grpcGo   bool // whose policy it is
	builder  balancer.Builder
	balancer balancer.Balancer
	config   serviceconfig.LoadBalancingConfig
	health   bool // updates ask for the health listener
}

// onBoth runs f over grpc-go's policy and over ours. Whatever f did, after Close
// no SubConn may be left and nothing may be published.
func onBoth(t *testing.T, policy string, f func(h *harness)) {
	t.Helper()
	grpcGo, evenkeel := builders(t, policy)
	for _, side := range []struct {
		name    string
		builder balancer.Builder
	}{{"grpc-go", grpcGo}, {"evenkeel", evenkeel}} {
		t.Run(side.name+"'s "+policy, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHarness(t, side.builder, side.name == "grpc-go")
				f(h)
				h.close()
			})
		})
	}
}

func newHarness(t *testing.T, b balancer.Builder, grpcGo bool) *harness {
	t.Helper()
	h := &harness{ClientConn: &fakecc.ClientConn{Serialize: true}, T: t, grpcGo: grpcGo, builder: b}
	h.balancer = b.Build(h.ClientConn, balancer.BuildOptions{})
	return h
}

// another returns a harness of the same side.
func (h *harness) another() *harness { return newHarness(h.T, h.builder, h.grpcGo) }

// either returns what is expected of grpc-go, or of us, where that differs.
func either[T any](h *harness, grpcGo, evenkeel T) T {
	if h.grpcGo {
		return grpcGo
	}
	return evenkeel
}

// settle lets all that is under way come to rest.
func (h *harness) settle() {
	for synctest.Wait(); h.Deliver(); {
		synctest.Wait()
	}
}

// wait lets time pass.
func (h *harness) wait(d time.Duration) {
	time.Sleep(d)
	h.settle()
}

func (h *harness) close() {
	h.Helper()
	h.settle()
	h.TakeStates()
	h.balancer.Close()
	h.wait(time.Hour)
	h.wantStates()
	for _, sc := range h.SubConns() {
		if !sc.IsShutdown() {
			h.Errorf("%v was not shut down by Close", sc)
		}
	}
}

// update sends a resolver update.
func (h *harness) update(s resolver.State) error {
	if h.health {
		s = grpcpickfirst.EnableHealthListener(s)
	}
	err := h.balancer.UpdateClientConnState(balancer.ClientConnState{ResolverState: s, BalancerConfig: h.config})
	h.settle()
	return err
}

// resolve sends a resolver update of the given endpoints, which are accepted.
func (h *harness) resolve(list ...resolver.Endpoint) {
	h.Helper()
	if err := h.update(resolver.State{Endpoints: list}); err != nil {
		h.Fatalf("UpdateClientConnState(%v) = %v, want nil", list, err)
	}
}

func (h *harness) resolverError(text string) {
	h.balancer.ResolverError(errors.New(text))
	h.settle()
}

func (h *harness) exitIdle() {
	h.balancer.ExitIdle()
	h.settle()
}

// parse makes h use a config.
func (h *harness) parse(js string) {
	h.Helper()
	p, ok := h.builder.(balancer.ConfigParser)
	if !ok {
		h.Fatal("the builder does not parse configs")
	}
	cfg, err := p.ParseConfig(json.RawMessage(js))
	if err != nil {
		h.Fatalf("ParseConfig(%s) = %v", js, err)
	}
	h.config = cfg
}

// set moves the SubConns of some addresses to a state. A failure's error is
// "<address> refused".
func (h *harness) set(s connectivity.State, addrs ...string) {
	h.Helper()
	for _, a := range addrs {
		sc := h.SubConn(a)
		if sc == nil {
			h.Fatalf("no SubConn for %q", a)
		}
		var err error
		if s == failure {
			err = errors.New(a + " refused")
		}
		sc.Set(s, err)
		h.settle()
	}
}

// setHealth reports the health of an address's connection.
func (h *harness) setHealth(s connectivity.State, err error, addr string) {
	h.SubConn(addr).SetHealth(s, err)
	h.settle()
}

func (h *harness) wantStates(want ...connectivity.State) {
	h.Helper()
	if got := h.TakeStates(); !slices.Equal(got, want) {
		h.Errorf("published %v, want %v", got, want)
	}
}

// wantCalls checks all that the policy has done since the last call.
func (h *harness) wantCalls(want ...string) {
	h.Helper()
	if got := h.TakeCalls(); !slices.Equal(got, want) {
		h.Errorf("the policy did\n\t%s\nwant\n\t%s", strings.Join(got, ", "), strings.Join(want, ", "))
	}
}

// forget drops what wantStates and wantCalls would check.
func (h *harness) forget() {
	h.TakeStates()
	h.TakeCalls()
}

// pick returns the address picked, or the error's text.
func (h *harness) pick() string {
	res, err := h.State().Picker.Pick(balancer.PickInfo{})
	h.settle()
	if err != nil {
		return err.Error()
	}
	return fakecc.Addr(res.SubConn)
}

// wantPicks checks the next picks, whatever their order.
func (h *harness) wantPicks(want ...string) {
	h.Helper()
	var got []string
	for range want {
		got = append(got, h.pick())
	}
	slices.Sort(got)
	if slices.Sort(want); !slices.Equal(got, want) {
		h.Errorf("picks = %q, want %q in any order", got, want)
	}
}

// alive returns the SubConns in use, each with its state.
func (h *harness) alive() []string {
	var list []string
	for _, sc := range h.SubConns() {
		if !sc.IsShutdown() {
			list = append(list, fmt.Sprint(sc.Addr.Addr, " ", sc.State()))
		}
	}
	slices.Sort(list)
	return list
}

func (h *harness) wantAlive(want ...string) {
	h.Helper()
	if got := h.alive(); !slices.Equal(got, want) {
		h.Errorf("SubConns = %q, want %q", got, want)
	}
}

// What most tests resolve to.
var (
	singles = fakecc.Singles
	multi   = fakecc.Multi
)
