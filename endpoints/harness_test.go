package endpoints_test

import (
	"errors"
	"fmt"
	"testing"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/resolver"

	"github.com/evenkeel-grpc/evenkeel/endpoints"
	"github.com/evenkeel-grpc/evenkeel/internal/fakecc"
	"github.com/evenkeel-grpc/evenkeel/scstate"
)

const (
	idle       = connectivity.Idle
	connecting = connectivity.Connecting
	ready      = connectivity.Ready
	failure    = connectivity.TransientFailure
)

var errRefused = errors.New("connection refused")

// policy is the least that uses the engine.
type policy struct {
	onRing func(*endpoints.Ring) // nil, or called with the ring
}

func (policy) Name() string { return "endpoints_test" }

func (p policy) Build(cc balancer.ClientConn, opts balancer.BuildOptions) balancer.Balancer {
	return endpoints.New(cc, opts, endpoints.Policy{
		Name: "endpoints_test",
		NewPicker: func(r *endpoints.Ring) balancer.Picker {
			if p.onRing != nil {
				p.onRing(r)
			}
			return turn{r}
		},
	})
}

type turn struct{ ring *endpoints.Ring }

func (t turn) Pick(balancer.PickInfo) (balancer.PickResult, error) {
	if sc := t.ring.Next(); sc != nil {
		return balancer.PickResult{SubConn: sc}, nil
	}
	return balancer.PickResult{}, balancer.ErrNoSubConnAvailable
}

// harness is an engine on a fake channel.
type harness struct {
	*fakecc.ClientConn
	testing.TB
	balancer balancer.Balancer
}

func newHarness(tb testing.TB) *harness {
	tb.Helper()
	return newHarnessOf(tb, policy{})
}

func newHarnessOf(tb testing.TB, b balancer.Builder) *harness {
	tb.Helper()
	h := &harness{ClientConn: &fakecc.ClientConn{}, TB: tb}
	h.balancer = scstate.Wrap(b).Build(h.ClientConn, balancer.BuildOptions{})
	tb.Cleanup(h.balancer.Close)
	return h
}

// resolve sends a resolver update of endpoints with one address each.
func (h *harness) resolve(addrs ...string) {
	h.Helper()
	if err := h.update(single(addrs...)...); err != nil {
		h.Fatalf("UpdateClientConnState(%q) = %v, want nil", addrs, err)
	}
}

func (h *harness) update(list ...resolver.Endpoint) error {
	return h.balancer.UpdateClientConnState(balancer.ClientConnState{ResolverState: resolver.State{Endpoints: list}})
}

// set moves the SubConns of some addresses to a state.
func (h *harness) set(s connectivity.State, addrs ...string) {
	h.Helper()
	for _, a := range addrs {
		sc := h.SubConn(a)
		if sc == nil {
			h.Fatalf("no SubConn for %q", a)
		}
		var err error
		if s == failure {
			err = fmt.Errorf("%s: %w", a, errRefused)
		}
		sc.Set(s, err)
	}
}

// picks returns the addresses of n picks.
func (h *harness) picks(n int) []string {
	h.Helper()
	var got []string
	for range n {
		res, err := h.State().Picker.Pick(balancer.PickInfo{})
		if err != nil {
			h.Fatalf("Pick() = %v, want a SubConn", err)
		}
		got = append(got, fakecc.Addr(res.SubConn))
	}
	return got
}

// pickErr returns the error of one pick.
func (h *harness) pickErr() error {
	h.Helper()
	_, err := h.State().Picker.Pick(balancer.PickInfo{})
	return err
}

// wantStates checks what was published since the last call.
func (h *harness) wantStates(want ...connectivity.State) {
	h.Helper()
	if got := h.TakeStates(); fmt.Sprint(got) != fmt.Sprint(want) {
		h.Errorf("published %v, want %v", got, want)
	}
}

// What most tests resolve to.
var (
	single = fakecc.Singles
	multi  = fakecc.Multi
)
