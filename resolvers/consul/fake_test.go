package consul_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/consul/api"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/serviceconfig"

	"github.com/evenkeel-grpc/evenkeel/resolvers/consul"
)

// fakeConsul is an HTTP server in memory that does what no real Consul can be
// made to do. It and its clients may live in a bubble of package synctest.
type fakeConsul struct {
	handle http.HandlerFunc
	conns  chan net.Conn
	closed chan struct{}

	mu       sync.Mutex // guards the fields below
	requests []request
	open     int // connections
}

// request is what the fake was asked.
type request struct {
	at     time.Time
	path   string
	params url.Values
	header http.Header
}

func startFake(t *testing.T, handle http.HandlerFunc) *fakeConsul {
	t.Helper()
	f := &fakeConsul{handle: handle, conns: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: f, ConnState: f.count}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(f)
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-served
	})
	return f
}

func (f *fakeConsul) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.requests = append(f.requests, request{time.Now(), r.URL.EscapedPath(), r.URL.Query(), r.Header.Clone()})
	f.mu.Unlock()
	f.handle(w, r)
}

func (f *fakeConsul) count(_ net.Conn, state http.ConnState) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch state {
	case http.StateNew:
		f.open++
	case http.StateClosed, http.StateHijacked:
		f.open--
	default:
	}
}

// seen returns the requests so far, of which some may be for one path only.
func (f *fakeConsul) seen() []request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]request(nil), f.requests...)
}

func (f *fakeConsul) connections() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.open
}

// Accept, Close and Addr make it a listener.
func (f *fakeConsul) Accept() (net.Conn, error) {
	select {
	case c := <-f.conns:
		return c, nil
	case <-f.closed:
		return nil, net.ErrClosed
	}
}

func (f *fakeConsul) Close() error {
	close(f.closed)
	return nil
}

func (f *fakeConsul) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8500} }

func (f *fakeConsul) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case f.conns <- theirs:
		return ours, nil
	case <-f.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// builder returns a builder whose clients reach the fake.
func (f *fakeConsul) builder() resolver.Builder {
	return consul.NewBuilder(consul.WithConfig(&api.Config{
		Address:   "127.0.0.1:8500",
		Transport: &http.Transport{DialContext: f.dial, MaxIdleConnsPerHost: 16},
	}))
}

// build starts a resolver for a target of the fake.
func (f *fakeConsul) build(t *testing.T, target string) *recorder {
	t.Helper()
	return build(t, f.builder(), target)
}

func build(t *testing.T, b resolver.Builder, target string) *recorder {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	cc := &recorder{}
	cc.resolver, err = b.Build(resolver.Target{URL: *u}, cc, resolver.BuildOptions{})
	if err != nil {
		t.Fatalf("Build(%s): %v", target, err)
	}
	t.Cleanup(cc.resolver.Close)
	return cc
}

// recorder is a channel that writes down what it is told.
type recorder struct {
	resolver resolver.Resolver

	mu    sync.Mutex // guards the fields below
	calls []string
	last  resolver.State
}

func (c *recorder) UpdateState(s resolver.State) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var addrs []string
	for _, e := range s.Endpoints {
		addrs = append(addrs, e.Addresses[0].Addr)
	}
	c.calls = append(c.calls, "list "+strings.Join(addrs, " "))
	c.last = s
	return nil
}

func (c *recorder) ReportError(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls = append(c.calls, "error "+err.Error())
}

func (c *recorder) NewAddress([]resolver.Address) {}

func (c *recorder) ParseServiceConfig(text string) *serviceconfig.ParseResult {
	if !json.Valid([]byte(text)) {
		return &serviceconfig.ParseResult{Err: fmt.Errorf("not JSON: %s", text)}
	}
	return &serviceconfig.ParseResult{Config: parsedConfig{text: text}}
}

type parsedConfig struct {
	serviceconfig.Config
	text string
}

// take returns the calls since the last take, when all goroutines of the bubble
// have nothing to do.
func (c *recorder) take() []string {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	calls := c.calls
	c.calls = nil
	return calls
}

func (c *recorder) config() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last.ServiceConfig == nil {
		return ""
	}
	p, _ := c.last.ServiceConfig.Config.(parsedConfig)
	return p.text
}

// answer writes what Consul answers to a query of the health API.
func answer(w http.ResponseWriter, index uint64, entries ...*api.ServiceEntry) {
	w.Header().Set("X-Consul-Index", strconv.FormatUint(index, 10))
	w.Header().Set("X-Consul-Knownleader", "true")
	w.Header().Set("X-Consul-Lastcontact", "0")
	if entries == nil {
		entries = []*api.ServiceEntry{}
	}
	_ = json.NewEncoder(w).Encode(entries)
}

// instance returns a healthy instance at host:port.
func instance(addr string, change ...func(*api.ServiceEntry)) *api.ServiceEntry {
	host, port, _ := net.SplitHostPort(addr)
	n, _ := strconv.Atoi(port)
	e := &api.ServiceEntry{
		Node:    &api.Node{Node: "n1", Address: "10.9.9.9", Datacenter: "dc1"},
		Service: &api.AgentService{ID: "id-" + addr, Service: "x", Address: host, Port: n, Weights: api.AgentWeights{Passing: 1, Warning: 1}},
	}
	for _, f := range change {
		f(e)
	}
	return e
}

// withStatus gives an instance a check.
func withStatus(s string) func(*api.ServiceEntry) {
	return func(e *api.ServiceEntry) {
		e.Checks = append(e.Checks, &api.HealthCheck{CheckID: "c", Status: s})
	}
}

// hold waits as long as Consul would hold an answer back, for ctx to be done at
// most.
func hold(r *http.Request) {
	wait, err := time.ParseDuration(r.URL.Query().Get("wait"))
	if err != nil || r.URL.Query().Get("index") == "" {
		return
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
	}
}
