package e2e

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc/resolver"

	"github.com/evenkeel-grpc/evenkeel/resolvers/consul"
)

// countingProxy passes requests on to Consul and counts them.
type countingProxy struct {
	addr            string
	queries, flying atomic.Int64
}

func startCountingProxy(t *testing.T, s *consulAgent) *countingProxy {
	t.Helper()
	p := &countingProxy{}
	transport := &http.Transport{DisableKeepAlives: true} // so that what is left is not ours
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: s.http})
	proxy.Transport = transport
	proxy.ErrorHandler = func(http.ResponseWriter, *http.Request, error) {} // a request that was cancelled
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.queries.Add(1)
		p.flying.Add(1)
		defer p.flying.Add(-1)
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	p.addr = server.Listener.Addr().String()
	return p
}

func TestConsulChannelsShareOneBlockingQuery(t *testing.T) {
	s := startConsul(t)
	a := startBackend(t)
	s.register(t, "x", a)
	p := startCountingProxy(t, s)
	target := "consul://" + p.addr + "/x"
	var views []*view
	for range 1000 {
		views = append(views, build(t, target))
	}
	for _, v := range views {
		eventually(t, "a list for each channel", func() bool { return len(v.calls()) > 0 })
	}
	eventually(t, "the poll", func() bool { return p.flying.Load() == 1 })
	if n := p.queries.Load(); n != 2 {
		t.Errorf("queries for 1000 channels = %d, want 2: one that found the list and one that waits for a change", n)
	}
	b := startBackend(t)
	s.register(t, "x", b)
	for _, v := range views {
		eventually(t, "the change for each channel", func() bool { _, ok := v.endpoint(b.addr); return ok })
	}
	if n := p.flying.Load(); n > 1 {
		t.Errorf("queries in flight = %d, want 1", n)
	}
}

// TestConsulOpenAndCloseLeavesNothing closes a thousand resolvers, each with a
// poll in flight or about to be.
func TestConsulOpenAndCloseLeavesNothing(t *testing.T) {
	s := startConsul(t)
	s.register(t, "x", startBackend(t))
	p := startCountingProxy(t, s)
	mine := goleak.IgnoreCurrent()
	builder := consul.NewBuilder()
	u, err := url.Parse("consul://" + p.addr + "/x?wait=10m")
	if err != nil {
		t.Fatal(err)
	}
	var slowest time.Duration
	for i := range 1000 {
		v := &view{}
		r, err := builder.Build(resolver.Target{URL: *u}, v, resolver.BuildOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 { // the others are closed while they find the list
			eventually(t, "the poll", func() bool { return len(v.calls()) > 0 && p.flying.Load() == 1 })
		}
		began := time.Now()
		r.Close()
		slowest = max(slowest, time.Since(began))
	}
	t.Logf("slowest of 1000 Close calls: %v", slowest)
	if slowest > 2*time.Second { // with a poll that lasts 10 min
		t.Errorf("Close took up to %v", slowest)
	}
	eventually(t, "no query in flight", func() bool { return p.flying.Load() == 0 })
	eventually(t, "no goroutine left", func() bool { return goleak.Find(mine) == nil })
}
