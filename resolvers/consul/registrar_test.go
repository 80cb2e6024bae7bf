package consul_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/evenkeel-grpc/evenkeel/resolvers/consul"
)

// fakeAgent is the part of an agent that keeps registrations.
type fakeAgent struct {
	mu       sync.Mutex // guards the fields below
	down     bool
	services map[string]*api.AgentServiceRegistration
	checks   map[string]string // status and output by check ID
	calls    []string
}

func (a *fakeAgent) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.down {
		http.Error(w, "down", http.StatusInternalServerError)
		return
	}
	path := strings.TrimPrefix(r.URL.Path, "/v1/agent/")
	what, id := path[:strings.LastIndex(path, "/")], path[strings.LastIndex(path, "/")+1:]
	call := what
	switch what {
	case "service":
		call = id
		if id != "register" {
			call = "ask"
			if a.services[id] == nil {
				http.Error(w, "unknown service ID", http.StatusNotFound)
			} else {
				_ = json.NewEncoder(w).Encode(a.services[id])
			}
			break
		}
		var s api.AgentServiceRegistration
		_ = json.NewDecoder(r.Body).Decode(&s)
		a.services[s.ID] = &s
	case "check/update":
		var u struct{ Status, Output string }
		_ = json.NewDecoder(r.Body).Decode(&u)
		call = u.Status
		if a.services[strings.TrimPrefix(id, "service:")] == nil {
			http.Error(w, `Unknown check ID "`+id+`"`, http.StatusNotFound)
			break
		}
		a.checks[id] = u.Status + " " + u.Output
	case "service/maintenance":
		call = "maintenance " + r.URL.Query().Get("enable")
		if a.services[id] == nil {
			http.Error(w, "unknown service ID", http.StatusNotFound)
		}
	case "service/deregister":
		call = "deregister"
		if a.services[id] == nil {
			http.Error(w, "unknown service ID", http.StatusNotFound)
		}
		delete(a.services, id)
	}
	a.calls = append(a.calls, call)
}

// take returns the calls since the last take.
func (a *fakeAgent) take() []string {
	synctest.Wait()
	a.mu.Lock()
	defer a.mu.Unlock()
	calls := a.calls
	a.calls = nil
	return calls
}

func (a *fakeAgent) with(change func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change()
}

// history writes down statuses.
type history struct {
	mu       sync.Mutex // guards the field below
	statuses []string
}

func (h *history) add(s consul.Status) {
	h.mu.Lock()
	defer h.mu.Unlock()
	text := s.State.String()
	if s.Err != nil {
		text += ": " + s.Err.Error()
	}
	h.statuses = append(h.statuses, text)
}

func (h *history) take() []string {
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.statuses
	h.statuses = nil
	return s
}

// register starts a registrar that reaches the agent.
func register(ctx context.Context, t *testing.T, a *fakeAgent, reg consul.Registration) (*consul.Registrar, *history) {
	t.Helper()
	a.services, a.checks = make(map[string]*api.AgentServiceRegistration), make(map[string]string)
	f := startFake(t, a.ServeHTTP)
	transport := &http.Transport{DialContext: f.dial}
	t.Cleanup(transport.CloseIdleConnections)
	c, err := api.NewClient(&api.Config{Address: "h:1", Token: "hunter2", HttpClient: &http.Client{Transport: transport}})
	if err != nil {
		t.Fatal(err)
	}
	var h history
	reg.Client, reg.OnStatus = c, h.add
	if reg.Addr == "" {
		reg.Service, reg.Addr = "x", "10.0.0.1:80"
	}
	r, err := consul.Register(ctx, reg)
	if err != nil {
		t.Fatal(err)
	}
	return r, &h
}

func equal(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func TestRegistrationLivesAndEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var a fakeAgent
		r, h := register(ctx, t, &a, consul.Registration{
			Service: "payments", Addr: "10.0.0.1:80", Tags: []string{"v2"}, Meta: map[string]string{"k": "v"},
			Weight: 7, Region: "eu", Zone: "eu-1", Checks: []*api.AgentServiceCheck{consul.GRPCCheck("", 0), consul.GRPCCheck("s", time.Second), consul.TCPCheck(time.Minute)},
		})
		if err := r.Ready(ctx); err != nil {
			t.Fatal(err)
		}
		equal(t, "calls", a.take(), "register", "passing", "maintenance false")
		equal(t, "statuses", h.take(), "registered")
		s := a.services["payments-10.0.0.1:80"]
		if s == nil || s.Name != "payments" || s.Address != "10.0.0.1" || s.Port != 80 || s.Weights.Passing != 7 || s.Weights.Warning != 1 ||
			s.Locality.Zone != "eu-1" || s.Meta["k"] != "v" || s.Tags[0] != "v2" {
			t.Errorf("registered as %+v", s)
		}
		var checks []string
		for _, c := range s.Checks {
			checks = append(checks, fmt.Sprint(c.CheckID, " ", c.TTL, c.GRPC, c.TCP, " ", c.Interval, c.Status, " ", c.DeregisterCriticalServiceAfter))
		}
		id := "service:payments-10.0.0.1:80"
		equal(t, "checks", checks, id+" 15s passing 10m0s", id+":1 10.0.0.1:80 10s 10m0s", id+":2 10.0.0.1:80/s 1s 10m0s", id+":3 10.0.0.1:80 1m0s 10m0s")

		time.Sleep(16 * time.Second)
		equal(t, "calls in 16 s", a.take(), "passing", "passing", "passing")
		cancel()
		<-r.Done()
		equal(t, "calls after the context is done", a.take(), "deregister")
		equal(t, "statuses", h.take(), "stopped")
		if err := r.Ready(t.Context()); err != nil {
			t.Errorf("Ready = %v, want nil: it was registered once", err)
		}
		if err := r.Drain(t.Context()); err != nil {
			t.Errorf("Drain = %v, want nil: it is gone", err)
		}
	})
}

func TestRegistrationHeals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a fakeAgent
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		a.down = true
		r, h := register(ctx, t, &a, consul.Registration{})
		time.Sleep(time.Hour)
		down := "retrying: registering: Consul answers 500: down"
		equal(t, "statuses", h.take(), down)
		if err := r.Ready(canceled(t)); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "Consul answers 500: down") {
			t.Errorf("Ready = %v, want the cause", err)
		}
		a.with(func() { a.down = false })
		time.Sleep(3 * time.Second)
		equal(t, "statuses", h.take(), "registered")
		a.take()

		for range 3 { // it forgets
			a.with(func() { clear(a.services) })
			time.Sleep(5*time.Second + 200*time.Millisecond)
			equal(t, "statuses", h.take(), `retrying: heartbeat: Consul answers 404: Unknown check ID "service:x-10.0.0.1:80"`, "registered")
			time.Sleep(5 * time.Second)
			a.take()
		}
		a.with(func() { a.down = true })
		time.Sleep(time.Hour)
		equal(t, "statuses", h.take(), "retrying: heartbeat: Consul answers 500: down", down)
		a.with(func() { a.down = false })
		time.Sleep(3 * time.Second)
		equal(t, "statuses", h.take(), "registered")
		cancel()
		<-r.Done()
	})
}

func TestRegistrationWithoutTTLIsNoticedToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a fakeAgent
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		r, h := register(ctx, t, &a, consul.Registration{TTL: -1, DeregisterCriticalServiceAfter: -1, Checks: []*api.AgentServiceCheck{consul.TCPCheck(0)}})
		equal(t, "statuses", h.take(), "registered")
		if c := a.services["x-10.0.0.1:80"].Checks; len(c) != 1 || c[0].DeregisterCriticalServiceAfter != "" {
			t.Errorf("checks %+v, want one that never removes the service", c)
		}
		time.Sleep(6 * time.Second)
		equal(t, "calls", a.take(), "register", "maintenance false", "ask")
		a.with(func() { clear(a.services) })
		time.Sleep(6 * time.Second)
		equal(t, "statuses", h.take(), `retrying: asking for the service: Consul answers 404: unknown service ID`, "registered")
		cancel()
		<-r.Done()
	})
}

func canceled(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

func TestHealthOfTheServerItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a fakeAgent
		var sick sync.Map
		sick.Store("err", errors.New("warming up"))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		r, _ := register(ctx, t, &a, consul.Registration{TTL: 3 * time.Second, Health: func(context.Context) error {
			err, _ := sick.Load("err")
			e, _ := err.(error)
			return e
		}})
		equal(t, "calls", a.take(), "register", "critical", "maintenance false")
		if got := a.checks["service:x-10.0.0.1:80"]; got != "critical warming up" {
			t.Errorf("check = %q, want the error in it", got)
		}
		sick.Delete("err")
		time.Sleep(1100 * time.Millisecond)
		equal(t, "calls", a.take(), "passing")
		cancel()
		<-r.Done()
	})
}

func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a fakeAgent
		r, h := register(t.Context(), t, &a, consul.Registration{DrainWait: 7 * time.Second})
		synctest.Wait()
		a.take()
		began := time.Now()
		drained := make(chan error)
		go func() { drained <- r.Drain(t.Context()) }()
		time.Sleep(5 * time.Second)
		equal(t, "calls while it drains", a.take(), "maintenance true")
		if err := <-drained; err != nil || time.Since(began) != 7*time.Second {
			t.Errorf("Drain = %v after %v, want nil after 7 s", err, time.Since(began))
		}
		<-r.Done()
		equal(t, "calls", a.take(), "deregister")
		equal(t, "statuses", h.take(), "registered", "draining", "stopped")
	})
}

func TestDrainGoesOnWhenTheAgentIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a fakeAgent
		r, h := register(t.Context(), t, &a, consul.Registration{})
		synctest.Wait()
		a.with(func() { a.down = true })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := r.Drain(ctx); err == nil || !strings.Contains(err.Error(), "maintenance: Consul answers 500: down") {
			t.Errorf("Drain = %v, want the cause", err)
		}
		time.Sleep(time.Hour)
		a.with(func() { a.down = false })
		<-r.Done()
		if len(a.services) != 0 {
			t.Error("the service is still there")
		}
		equal(t, "statuses", h.take(), "registered", "draining", "draining: maintenance: Consul answers 500: down", "draining", "stopped")
	})
}

func TestUpdateInPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a fakeAgent
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		tags := []string{"v1"}
		r, _ := register(ctx, t, &a, consul.Registration{Service: "x", Addr: "10.0.0.1:80", Tags: tags})
		tags[0] = "changed by the caller"
		synctest.Wait()
		a.take()
		err := r.Update(ctx, func(reg *consul.Registration) {
			reg.Tags = append(reg.Tags, "v2")
			reg.Weight = 9
			reg.ID = "cannot be changed"
		})
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "calls", a.take(), "register", "passing", "maintenance false")
		if s := a.services[r.ID()]; len(a.services) != 1 || s.Weights.Passing != 9 || !slices.Equal(s.Tags, []string{"v1", "v2"}) {
			t.Errorf("services %v, want the one changed", a.services)
		}
		if err := r.Update(ctx, func(reg *consul.Registration) { reg.Weight = -1 }); err == nil {
			t.Error("Update accepted a negative weight")
		}
		cancel()
		<-r.Done()
		if err := r.Update(t.Context(), func(*consul.Registration) {}); err == nil {
			t.Error("Update after the end = nil, want an error")
		}
	})
}

func TestRegisterRejects(t *testing.T) {
	for want, reg := range map[string]consul.Registration{
		"consul: Register: no service; want its name, such as payments":                              {Addr: "h:1"},
		`consul: Register: address "h": want host:port with a port of 1 to 65535`:                    {Service: "x", Addr: "h"},
		`consul: Register: address "h:0": want host:port with a port of 1 to 65535`:                  {Service: "x", Addr: "h:0"},
		"consul: Register: TTL 1ms: want 1s or more, or a negative one for no such check":            {Service: "x", Addr: "h:1", TTL: time.Millisecond},
		"consul: Register: TTL -1ns and no checks; want one of them, or nobody would notice a crash": {Service: "x", Addr: "h:1", TTL: -1},
		"consul: Register: weights 0 and -1: want none below 0":                                      {Service: "x", Addr: "h:1", WarningWeight: -1},
		"consul: Register: a check that is nil":                                                      {Service: "x", Addr: "h:1", Checks: []*api.AgentServiceCheck{nil}},
	} {
		if _, err := consul.Register(t.Context(), reg); err == nil || err.Error() != want {
			t.Errorf("Register(%+v) = %v, want %s", reg, err, want)
		}
	}
}
