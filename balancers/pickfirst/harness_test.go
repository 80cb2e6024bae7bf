package pickfirst_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/serviceconfig"

	"github.com/evenkeel-grpc/evenkeel/balancers/pickfirst"
	"github.com/evenkeel-grpc/evenkeel/internal/fakecc"
	"github.com/evenkeel-grpc/evenkeel/registry"
)

const (
	idle       = connectivity.Idle
	connecting = connectivity.Connecting
	ready      = connectivity.Ready
	failure    = connectivity.TransientFailure
)

// harness is the policy on a fake channel.
type harness struct {
	*fakecc.ClientConn
	testing.TB
	balancer balancer.Balancer
	config   serviceconfig.LoadBalancingConfig
}

func builder(tb testing.TB) balancer.Builder {
	tb.Helper()
	b, err := registry.Default.Balancer(pickfirst.Name)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func parser(tb testing.TB) balancer.ConfigParser {
	tb.Helper()
	p, ok := builder(tb).(balancer.ConfigParser)
	if !ok {
		tb.Fatal("the builder does not parse configs")
	}
	return p
}

func newHarness(tb testing.TB, config string) *harness {
	tb.Helper()
	b := builder(tb)
	h := &harness{ClientConn: &fakecc.ClientConn{}, TB: tb, config: parse(tb, config)}
	h.balancer = b.Build(h.ClientConn, balancer.BuildOptions{})
	tb.Cleanup(h.balancer.Close)
	return h
}

func parse(tb testing.TB, js string) serviceconfig.LoadBalancingConfig {
	tb.Helper()
	cfg, err := parser(tb).ParseConfig(json.RawMessage(js))
	if err != nil {
		tb.Fatalf("ParseConfig(%s) = %v", js, err)
	}
	return cfg
}

// mustResolve sends a resolver update of one endpoint per address.
func (h *harness) mustResolve(addrs ...string) {
	h.Helper()
	s := resolver.State{Endpoints: endpoints(addrs...)}
	if err := h.balancer.UpdateClientConnState(balancer.ClientConnState{ResolverState: s, BalancerConfig: h.config}); err != nil {
		h.Fatalf("UpdateClientConnState(%q) = %v, want nil", addrs, err)
	}
}

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
	}
}

// under returns the addresses whose SubConns are connecting or connected.
func (h *harness) under() []string {
	var addrs []string
	for _, sc := range h.SubConns() {
		if sc.Connects() > 0 && !sc.IsShutdown() {
			addrs = append(addrs, sc.Addr.Addr)
		}
	}
	return addrs
}

func (h *harness) wantUnder(want ...string) {
	h.Helper()
	if got := h.under(); fmt.Sprint(got) != fmt.Sprint(want) {
		h.Fatalf("SubConns in use = %q, want %q", got, want)
	}
}

func (h *harness) wantStates(want ...connectivity.State) {
	h.Helper()
	if got := h.TakeStates(); fmt.Sprint(got) != fmt.Sprint(want) {
		h.Errorf("published %v, want %v", got, want)
	}
}

// pick returns the address picked, or the error's text.
func (h *harness) pick() string {
	res, err := h.State().Picker.Pick(balancer.PickInfo{})
	if err != nil {
		return err.Error()
	}
	return fakecc.Addr(res.SubConn)
}

func (h *harness) wantPick(want string) {
	h.Helper()
	if got := h.pick(); got != want {
		h.Errorf("Pick() = %q, want %q", got, want)
	}
}

// endpoints is what most tests resolve to.
var endpoints = fakecc.Singles
