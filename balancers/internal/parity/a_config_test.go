package parity_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/serviceconfig"

	"github.com/evenkeel-grpc/evenkeel/registry"
)

// The A group: names, configs, Build.

func TestA1NamesAreExact(t *testing.T) {
	for _, policy := range []string{"pick_first", "round_robin"} {
		_, ours := builders(t, policy)
		if got := balancer.Get(policy); got != ours || got.Name() != policy {
			t.Errorf("grpc's registry has %T %q, want ours, named %q", got, got.Name(), policy)
		}
		old, ok := registry.Default.ReplacedBalancer(policy)
		if !ok || old == ours || old.Name() != policy {
			t.Errorf("the registry replaced %v, want grpc-go's own %q", old, policy)
		}
		if got := balancer.Get(strings.ToUpper(policy)); got != nil {
			t.Errorf("grpc's registry has %T for the upper-case name", got)
		}
	}
}

func TestA2ConfigsOfPickFirst(t *testing.T) {
	theirs, ours := builders(t, pickFirst)
	// A4: what is around the builder has to let the ConfigParser be seen.
	grpcGo, ok := theirs.(balancer.ConfigParser)
	evenkeel, okToo := ours.(balancer.ConfigParser)
	if !ok || !okToo {
		t.Fatal("want a ConfigParser of both sides")
	}
	const failed = "pickfirst: unable to unmarshal LB policy config: "
	for js, wantErr := range map[string]string{
		`{}`:                           "",
		`null`:                         "",
		`{"shuffleAddressList":true}`:  "",
		`{"SHUFFLEADDRESSLIST":false}`: "",
		`{"unknown":{"a":[1]}}`:        "",
		``:                             failed + ", error: unexpected end of JSON input",
		`[]`:                           failed + "[], error: json: cannot unmarshal array into Go value of type ",
		`{"shuffleAddressList":"yes"}`: failed + `{"shuffleAddressList":"yes"}, error: json: cannot unmarshal string into Go struct field `,
	} {
		for side, p := range map[string]balancer.ConfigParser{"grpc-go": grpcGo, "evenkeel": evenkeel} {
			// A type's name may follow, which is each side's own.
			_, err := p.ParseConfig(json.RawMessage(js))
			if (err == nil) != (wantErr == "") || (err != nil && !strings.HasPrefix(err.Error(), wantErr)) {
				t.Errorf("%s: ParseConfig(%s) = %v, want %q", side, js, err, wantErr)
			}
		}
	}
}

func TestA3RoundRobinParsesNoConfig(t *testing.T) {
	theirs, ok := registry.Default.ReplacedBalancer(roundRobin)
	if !ok {
		t.Fatal("grpc-go's own round_robin was not there to be replaced")
	}
	for side, b := range map[string]balancer.Builder{"grpc-go": theirs, "evenkeel": balancer.Get(roundRobin)} {
		if _, ok := b.(balancer.ConfigParser); ok {
			t.Errorf("%s: the builder parses configs, so some that were accepted no longer are", side)
		}
	}
}

// foreign is the config of another policy.
type foreign struct {
	serviceconfig.LoadBalancingConfig
}

func TestA5ForeignConfig(t *testing.T) {
	onBoth(t, pickFirst, func(h *harness) {
		h.config = foreign{}
		err := h.update(resolver.State{Endpoints: singles("a:1")})
		const want = "pickfirst: received illegal BalancerConfig (type parity_test.foreign): {<nil>}: bad resolver state"
		if !errors.Is(err, balancer.ErrBadResolverState) || err.Error() != want {
			h.Errorf("UpdateClientConnState() = %v, want %q, an ErrBadResolverState", err, want)
		}
		h.wantCalls()
		h.config = nil // what children of round_robin get
		h.resolve(singles("a:1")...)
		h.wantAlive("a:1 IDLE")
	})
	onBoth(t, roundRobin, func(h *harness) {
		h.config = foreign{} // Neither used nor passed on to what connects.
		h.resolve(singles("a:1")...)
		h.wantAlive("a:1 IDLE")
	})
}

// spy is a policy that notes when it is built.
type spy struct {
	balancer.Builder
	built *int
}

func (s spy) Build(cc balancer.ClientConn, opts balancer.BuildOptions) balancer.Balancer {
	*s.built++
	return s.Builder.Build(cc, opts)
}

// Whoever registers a pick_first of his own gets it under grpc-go's round_robin.
// Ours has no children that could be of another policy.
func TestA6WhatRoundRobinConnectsWith(t *testing.T) {
	theirs, ok := registry.Default.ReplacedBalancer(roundRobin)
	if !ok {
		t.Fatal("grpc-go's own round_robin was not there to be replaced")
	}
	_, ours := builders(t, roundRobin)
	built := 0
	original := balancer.Get(pickFirst)
	balancer.Register(spy{original, &built})
	t.Cleanup(func() { balancer.Register(original) })
	for _, b := range []balancer.Builder{theirs, ours} {
		built = 0
		h := newHarness(t, b, b == theirs)
		if err := h.balancer.UpdateClientConnState(balancer.ClientConnState{
			ResolverState: resolver.State{Endpoints: singles("a:1", "b:1")},
		}); err != nil {
			t.Fatal(err)
		}
		if want := either(h, 2, 0); built != want {
			t.Errorf("%s: pick_first was built %d times, want %d", fmt.Sprintf("%T", b), built, want)
		}
		h.balancer.Close()
	}
}

func TestA7BuildPublishesNothing(t *testing.T) {
	for _, policy := range []string{pickFirst, roundRobin} {
		onBoth(t, policy, func(h *harness) {
			h.settle()
			h.wantCalls()
		})
	}
}
