package e2e

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/evenkeel-grpc/evenkeel/resolvers/consul"
)

// join registers a backend as a server would do it itself.
func (a *consulAgent) join(ctx context.Context, t *testing.T, b *backend, change ...func(*consul.Registration)) *consul.Registrar {
	t.Helper()
	reg := consul.Registration{Service: "x", Addr: b.addr, Client: a.client(t), TTL: time.Second}
	for _, f := range change {
		f(&reg)
	}
	r, err := consul.Register(ctx, reg)
	if err != nil {
		t.Fatal(err)
	}
	ready, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := r.Ready(ready); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestConsulRegistrationHeals(t *testing.T) {
	s := startConsul(t)
	a, b := startBackend(t), startBackend(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var mu sync.Mutex
	var states []consul.State
	ra := s.join(ctx, t, a, func(reg *consul.Registration) {
		reg.OnStatus = func(st consul.Status) {
			mu.Lock()
			defer mu.Unlock()
			states = append(states, st.State)
		}
	})
	rb := s.join(ctx, t, b)
	cc := dial(t, s.target("x"))
	waitForBackends(t, cc, a, b)
	load := startCallers(t, cc)

	s.kill() // and with it all that it knows
	s.start(t)
	registered := func(b *backend) func() bool {
		return func() bool {
			services, err := s.client(t).Agent().Services()
			return err == nil && services["x-"+b.addr] != nil
		}
	}
	eventually(t, "both are registered again", func() bool { return registered(a)() && registered(b)() })
	waitForBackends(t, cc, a, b)

	if err := s.client(t).Agent().ServiceDeregister(rb.ID()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the one that was removed is registered again", registered(b))
	waitForBackends(t, cc, a, b)

	if err := rb.Drain(t.Context()); err != nil {
		t.Errorf("Drain = %v", err)
	}
	b.server.Stop() // nobody minds
	waitForBackends(t, cc, a)
	<-rb.Done()
	load.mustNotHaveFailed(t)

	cancel()
	<-ra.Done()
	if registered(a)() {
		t.Error("the instance outlives its context")
	}
	// Retrying comes again if the reason has changed meanwhile.
	if got := fmt.Sprint(slices.Compact(states)); got != "[registered retrying registered stopped]" {
		t.Errorf("states = %s, want [registered retrying registered stopped]", got)
	}
}

func TestConsulRegistrationShowsAllItSays(t *testing.T) {
	s := startConsul(t)
	a := startBackend(t)
	r := s.join(t.Context(), t, a, func(reg *consul.Registration) {
		reg.Tags, reg.Meta = []string{"v1"}, map[string]string{"k": "v"}
		reg.Region, reg.Zone, reg.Weight = "eu", "eu-1", 7
		reg.Checks = []*api.AgentServiceCheck{consul.GRPCCheck("", 100*time.Millisecond), consul.TCPCheck(100 * time.Millisecond)}
	})
	seen := build(t, s.target("x"))
	look := func() consul.Instance {
		e, _ := seen.endpoint(a.addr)
		i, _ := consul.InstanceOf(e)
		return i
	}
	eventually(t, "an instance of which all checks pass", func() bool { return look().Status == "passing" })
	if i := look(); i.ID != "x-"+a.addr || i.Tags[0] != "v1" || i.Meta["k"] != "v" || i.Region != "eu" || i.Zone != "eu-1" {
		t.Errorf("instance %+v", i)
	}
	entries, _, err := s.client(t).Health().Service("x", "", true, nil)
	if err != nil || len(entries) != 1 || entries[0].Service.Weights.Passing != 7 || len(entries[0].Checks) != 4 {
		t.Errorf("in Consul: %+v, %v; want one instance with weight 7 and 4 checks", entries, err)
	}
	err = r.Update(t.Context(), func(reg *consul.Registration) { reg.Meta["k"] = "w" })
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the update", func() bool { return look().Meta["k"] == "w" })
	a.server.Stop()
	eventually(t, "the agent's own checks fail", func() bool {
		e, _, err := s.client(t).Health().Service("x", "", true, nil)
		return err == nil && len(e) == 0
	})
	if err := r.Drain(t.Context()); err != nil {
		t.Error(err)
	}
}

// A server that is started again after a drain that was cut short must not stay
// in maintenance.
func TestConsulRegistrationEndsAnOldDrain(t *testing.T) {
	s := startConsul(t)
	a := startBackend(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r := s.join(ctx, t, a)
	if err := s.client(t).Agent().EnableServiceMaintenance(r.ID(), "draining"); err != nil {
		t.Fatal(err)
	}
	again := s.join(ctx, t, a)
	waitForBackends(t, dial(t, s.target("x")), a)
	cancel()
	<-r.Done()
	<-again.Done()
}
