package dns_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	mdns "github.com/miekg/dns"
	"google.golang.org/grpc/experimental/balancer/weight"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/serviceconfig"

	"github.com/evenkeel-grpc/evenkeel/resolvers/dns"
	"github.com/evenkeel-grpc/evenkeel/resolvers/dns/internal/hostconf"
	"github.com/evenkeel-grpc/evenkeel/resolvers/dns/internal/lookup"
)

// fakeDNS is the network with all its name servers. They have the same records,
// unless they are told to fail.
type fakeDNS struct {
	mu      sync.Mutex          // guards the fields below
	records map[string][]string // by "name type"
	fail    map[string]error    // by "name type", "type", "server" or ""
	delay   map[string]time.Duration
	asked   []string // "name type", in order
	servers []string
	times   map[string][]time.Time
}

func newFakeDNS() *fakeDNS {
	return &fakeDNS{
		records: map[string][]string{}, fail: map[string]error{},
		delay: map[string]time.Duration{}, times: map[string][]time.Time{},
	}
}

var errServFail = errors.New("SERVFAIL")

// set gives a name records of a type, all with the TTL in seconds. None at all
// are NODATA, and a name that has none of any type does not exist.
func (f *fakeDNS) set(name string, ttl int, kind string, values ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	key := name + " " + kind
	delete(f.records, key)
	for _, v := range values {
		f.records[key] = append(f.records[key], fmt.Sprintf("%s %d IN %s %s", name, ttl, kind, v))
	}
}

func (f *fakeDNS) fails(what string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail[what] = err
}

func (f *fakeDNS) exchange(ctx context.Context, server string, q lookup.Question) (*mdns.Msg, error) {
	key := fmt.Sprintf("%s %v", q.Name, q.Type)
	f.mu.Lock()
	f.asked = append(f.asked, key)
	f.servers = append(f.servers, server)
	f.times[key] = append(f.times[key], time.Now())
	wait := f.delay[key]
	f.mu.Unlock()
	if wait > 0 {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, what := range []string{key, q.Type.String(), server, ""} {
		if err := f.fail[what]; err != nil {
			return f.failure(q, err)
		}
	}
	return f.answer(q, key)
}

func (f *fakeDNS) failure(q lookup.Question, err error) (*mdns.Msg, error) {
	if !errors.Is(err, errServFail) {
		return nil, err
	}
	m := new(mdns.Msg).SetQuestion(q.Name, uint16(q.Type))
	m.Rcode = mdns.RcodeServerFailure
	return m, nil
}

func (f *fakeDNS) answer(q lookup.Question, key string) (*mdns.Msg, error) {
	m := new(mdns.Msg).SetQuestion(q.Name, uint16(q.Type))
	m.Authoritative = true
	for _, s := range f.records[key] {
		rr, err := mdns.NewRR(s)
		if err != nil {
			return nil, err
		}
		m.Answer = append(m.Answer, rr)
	}
	exists := false
	for k := range f.records {
		exists = exists || strings.HasPrefix(k, q.Name+" ")
	}
	if !exists {
		m.Rcode = mdns.RcodeNameError
	}
	if len(m.Answer) == 0 {
		soa, _ := mdns.NewRR("test. 60 IN SOA ns.test. admin.test. 1 3600 600 86400 20")
		m.Ns = []mdns.RR{soa}
	}
	return m, nil
}

// take returns what was asked since the last take, sorted.
func (f *fakeDNS) take() []string {
	synctest.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	asked := f.asked
	f.asked, f.servers = nil, nil
	slices.Sort(asked)
	return asked
}

// gaps returns the times between neighbouring questions.
func (f *fakeDNS) gaps(key string) []time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	var gaps []time.Duration
	for i := 1; i < len(f.times[key]); i++ {
		gaps = append(gaps, f.times[key][i].Sub(f.times[key][i-1]))
	}
	return gaps
}

// fakeHost is a host whose name servers are a fakeDNS.
type fakeHost struct {
	*fakeDNS
	dir   string
	host  *hostconf.Host
	cache *lookup.Cache
}

func newHost(t *testing.T) *fakeHost {
	t.Helper()
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	h := &fakeHost{fakeDNS: newFakeDNS(), dir: dir, host: hostconf.New(path("resolv.conf"), path("hosts"), path("nsswitch.conf"))}
	h.cache = &lookup.Cache{Exchange: h.exchange}
	h.write(t, "resolv.conf", "nameserver 10.0.0.53\n")
	return h
}

func (h *fakeHost) write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(h.dir, file), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// follow builds a resolver on the host, in the bubble of t.
func (h *fakeHost) follow(t *testing.T, tgt string) (*fakeChannel, resolver.Resolver) {
	t.Helper()
	return h.followWith(t, tgt, resolver.BuildOptions{DisableServiceConfig: true})
}

func (h *fakeHost) followWith(t *testing.T, tgt string, opts resolver.BuildOptions) (*fakeChannel, resolver.Resolver) {
	t.Helper()
	cc := &fakeChannel{}
	r, err := dns.NewBuilder(dns.WithHost(h.host), dns.WithCache(h.cache)).Build(target(t, tgt), cc, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return cc, r
}

func target(t *testing.T, s string) resolver.Target {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return resolver.Target{URL: *u}
}

// fakeChannel notes what the resolver tells it.
type fakeChannel struct {
	resolver.ClientConn // panics on anything else

	mu   sync.Mutex // guards the fields below
	told []string
	last resolver.State
}

func (c *fakeChannel) UpdateState(s resolver.State) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = s
	c.told = append(c.told, "list "+show(s.Endpoints)+config(s.ServiceConfig))
	return nil
}

func (c *fakeChannel) ReportError(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told = append(c.told, "error "+err.Error())
}

// fakeConfig is a service config that was not parsed.
type fakeConfig struct {
	serviceconfig.Config
	text string
}

func (c *fakeChannel) ParseServiceConfig(js string) *serviceconfig.ParseResult {
	return &serviceconfig.ParseResult{Config: fakeConfig{text: js}}
}

func config(r *serviceconfig.ParseResult) string {
	if r == nil {
		return ""
	}
	if r.Err != nil {
		return " config error " + r.Err.Error()
	}
	c, ok := r.Config.(fakeConfig)
	if !ok {
		return fmt.Sprintf(" config %T", r.Config)
	}
	return " config " + c.text
}

// show prints endpoints, sorted, as addr+addr(server name)*weight.
func show(list []resolver.Endpoint) string {
	var all []string
	for _, e := range list {
		var addrs []string
		for _, a := range e.Addresses {
			s := strings.TrimSuffix(a.Addr, ":443")
			if a.ServerName != "" {
				s += "(" + a.ServerName + ")"
			}
			addrs = append(addrs, s)
		}
		s := strings.Join(addrs, "+")
		if w := weight.FromEndpoint(e).Weight; w != 0 {
			s += fmt.Sprintf("*%d", w)
		}
		all = append(all, s)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// take returns what the channel was told since the last take.
func (c *fakeChannel) take() []string {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	told := c.told
	c.told = nil
	return told
}

// expect fails the test unless the channel was told exactly want since the last
// time.
func (c *fakeChannel) expect(t *testing.T, want ...string) {
	t.Helper()
	if got := c.take(); !slices.Equal(got, want) {
		t.Fatalf("the channel was told\n %q, want\n %q", got, want)
	}
}
