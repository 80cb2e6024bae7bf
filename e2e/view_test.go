package e2e

import (
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/serviceconfig"

	"github.com/evenkeel-grpc/evenkeel/resolvers/etcd"
)

// view stands in for a channel and remembers what the resolver tells it.
type view struct {
	resolver.ClientConn // panics on anything else

	mu    sync.Mutex // guards the fields below
	state resolver.State
	told  []string
}

func (v *view) UpdateState(s resolver.State) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.state = s
	var addrs []string
	for _, e := range s.Endpoints {
		addrs = append(addrs, e.Addresses[0].Addr)
	}
	v.told = append(v.told, "list "+strings.Join(addrs, " "))
	return nil
}

func (v *view) ReportError(err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.told = append(v.told, "error "+err.Error())
}

// ParseServiceConfig returns a config that no channel would take.
func (v *view) ParseServiceConfig(string) *serviceconfig.ParseResult {
	return &serviceconfig.ParseResult{}
}

func (v *view) calls() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Clone(v.told)
}

// endpoints returns how many there are.
func (v *view) endpoints() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.state.Endpoints)
}

// metadata returns that of the endpoint with the given address.
func (v *view) metadata(addr string) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	i := slices.IndexFunc(v.state.Endpoints, func(e resolver.Endpoint) bool { return e.Addresses[0].Addr == addr })
	if i < 0 {
		return "no such endpoint"
	}
	m, ok := etcd.Metadata(v.state.Endpoints[i])
	if !ok {
		return "none"
	}
	return string(m)
}

// build runs a resolver without a channel.
func build(tb testing.TB, target string) *view {
	tb.Helper()
	u, err := url.Parse(target)
	if err != nil {
		tb.Fatal(err)
	}
	v := &view{}
	r, err := resolver.Get(u.Scheme).Build(resolver.Target{URL: *u}, v, resolver.BuildOptions{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(r.Close)
	return v
}
