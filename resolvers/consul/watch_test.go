package consul_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/consul/api"
	"google.golang.org/grpc/experimental/balancer/weight"
	"google.golang.org/grpc/resolver"

	"github.com/evenkeel-grpc/evenkeel/registry"
	"github.com/evenkeel-grpc/evenkeel/resolvers/consul"
)

func TestParametersReachConsul(t *testing.T) {
	for target, want := range map[string]string{
		"consul:///x":                                   "/v1/health/service/x",
		"consul:///x/":                                  "/v1/health/service/x",
		"consul:///a%20b":                               "/v1/health/service/a%20b",
		"consul:///x?tag=b&tag=a&tags=c,a":              "/v1/health/service/x tag=[a b c]",
		"consul:///x?dc=d1":                             "/v1/health/service/x dc=[d1]",
		"consul:///x?ns=n&partition=p":                  "/v1/health/service/x ns=[n] partition=[p]",
		"consul:///x?near=_agent&filter=a+%3D%3D+b":     "/v1/health/service/x filter=[a == b] near=[_agent]",
		"consul:///x?stale":                             "/v1/health/service/x stale=[]",
		"consul:///x?allow-stale=true&consistent=false": "/v1/health/service/x stale=[]",
		"consul:///x?require-consistent=1":              "/v1/health/service/x consistent=[]",
		"consul:///x?cached":                            "/v1/health/service/x cached=[]",
		"consul:///x?connect=1&tag=a":                   "/v1/health/connect/x tag=[a]",
		"consul:///x?query=1&connect&near=n&dc=d":       "/v1/query/x/execute connect=[true] dc=[d] near=[n]",
		// The targets in the documentation of two other resolvers.
		"consul://user:password@127.0.0.127:8555/my-service?wait=14s&near=host&insecure=true&limit=1&tag=production&token=test_token&max-backoff=2s&dc=xx&allow-stale=true&healthy=true&timeout=60s": "/v1/health/service/my-service dc=[xx] near=[host] stale=[] tag=[production]",
		"consul://10.10.0.1:1234/user-service?scheme=http&tags=primary,eu&health=fallbackToUnhealthy&token=X":                                                                                        "/v1/health/service/user-service tag=[eu primary]",
	} {
		t.Run(target, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := startFake(t, good)
				f.build(t, target)
				synctest.Wait()
				r := f.seen()[0]
				parts := []string{r.path}
				for _, name := range slices.Sorted(maps.Keys(r.params)) {
					parts = append(parts, fmt.Sprintf("%s=%v", name, r.params[name]))
				}
				if got := strings.Join(parts, " "); got != want {
					t.Errorf("Consul was asked for %s, want %s", got, want)
				}
			})
		})
	}
}

func TestCredentialsReachConsul(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := startFake(t, good)
		b := f.builder()
		build(t, b, "consul://jane:hunter2@h:1/x?token=t0k3n")
		synctest.Wait()
		h := f.seen()[0].header
		if got, want := h.Get("Authorization"), "Basic "+base64.StdEncoding.EncodeToString([]byte("jane:hunter2")); got != want {
			t.Errorf("Authorization: %q, want %q", got, want)
		}
		if got := h.Get("X-Consul-Token"); got != "t0k3n" {
			t.Errorf("X-Consul-Token: %q, want t0k3n", got)
		}

		// Sealed, as evenkeel.NewClient passes them on.
		s, ok := b.(registry.TargetSealer)
		if !ok {
			t.Fatal("the builder seals no targets")
		}
		sealed, ok := s.SealTarget(parse(t, "consul://jane:hunter2@h:1/y?tag=a&token=t0k%33n"))
		if s := sealed.String(); !ok || strings.Contains(s, "hunter2") || strings.Contains(s, "t0k") || !strings.Contains(s, "tag=a") {
			t.Fatalf("sealed target %q, want neither secret, and the tag", s)
		}
		build(t, b, sealed.String())
		synctest.Wait()
		seen := f.seen()
		if got := seen[len(seen)-1].header; got.Get("Authorization") != h.Get("Authorization") || got.Get("X-Consul-Token") != "t0k3n" {
			t.Errorf("headers for the sealed target: %v, want the same credentials", got)
		}
	})
}

func TestTokenFileIsReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "token")
		f := startFake(t, good)
		cc := f.build(t, "consul:///x?wait=10s&token-file="+path)
		time.Sleep(5 * time.Second)
		expect(t, cc, `error consul: "x": token-file: open `+path+`: no such file or directory`)
		write := func(token string) {
			if err := os.WriteFile(path, []byte(token+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		write("one")
		time.Sleep(5 * time.Second)
		write("two")
		time.Sleep(20 * time.Second)
		expect(t, cc, "list 10.0.0.1:80")
		var tokens []string
		for _, r := range f.seen() {
			tokens = append(tokens, r.header.Get("X-Consul-Token"))
		}
		if got, want := slices.Compact(tokens), []string{"one", "two"}; !slices.Equal(got, want) {
			t.Errorf("tokens in turn %q, want %q", got, want)
		}
	})
}

func TestEnvironmentNamesConsul(t *testing.T) {
	t.Setenv("CONSUL_HTTP_ADDR", "127.0.0.1:1")
	cc := build(t, consul.NewBuilder(), "consul:///x")
	for began := time.Now(); time.Since(began) < 10*time.Second; time.Sleep(time.Millisecond) {
		cc.mu.Lock()
		calls := cc.calls
		cc.mu.Unlock()
		if len(calls) > 0 {
			if !strings.Contains(calls[0], "127.0.0.1:1: ") {
				t.Errorf("the channel was told %q, want an error with the address in the environment", calls[0])
			}
			return
		}
	}
	t.Error("no error within 10 s")
}

func TestHealthDecidesWhoIsUsed(t *testing.T) {
	all := []*api.ServiceEntry{
		instance("10.0.0.1:80", withStatus("passing")),
		instance("10.0.0.2:80", withStatus("warning")),
		instance("10.0.0.3:80", withStatus("critical"), withStatus("passing")),
		instance("10.0.0.4:80", func(e *api.ServiceEntry) {
			e.Checks = append(e.Checks, &api.HealthCheck{CheckID: "_service_maintenance:4", Status: "critical"})
		}),
		instance("10.0.0.5:80"), // no check
		instance("10.0.0.6:80", withStatus("warning"), func(e *api.ServiceEntry) { e.Service.Weights.Warning = 0 }),
	}
	for _, tt := range []struct {
		params  string
		entries []*api.ServiceEntry
		want    string
	}{
		{"", all, "1 5"},
		{"health=passing", all, "1 5"},
		{"health=healthy", all, "1 5"},
		{"healthy=true", all, "1 5"},
		{"health=warning", all, "1 2 5"},
		{"health=any", all, "1 2 3 4 5"},
		{"healthy=false", all, "1 2 3 4 5"},
		{"fallback=1", all, "1 5"},
		{"fallback=1", all[1:4], "2 3 4"},
		{"health=fallbackToUnhealthy", all[2:4], "3 4"},
		{"health=warning&fallback=true", all[2:4], "3 4"},
		{"fallback=false", all[1:4], ""},
	} {
		t.Run(fmt.Sprintf("%s of %d", tt.params, len(tt.entries)), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := startFake(t, func(w http.ResponseWriter, r *http.Request) {
					hold(r)
					answer(w, 7, tt.entries...)
				})
				cc := f.build(t, "consul:///x?"+tt.params)
				synctest.Wait()
				got := strings.NewReplacer("10.0.0.", "", ":80", "").Replace(strings.TrimPrefix(cc.take()[0], "list "))
				if tt.want == "" && strings.HasPrefix(got, "error ") {
					return
				}
				if got != tt.want {
					t.Errorf("instances used: %s, want %s", got, tt.want)
				}
			})
		})
	}
}

func TestWhatIsKnownOfAnInstanceReachesTheChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := instance("10.0.0.1:80", withStatus("passing"), func(e *api.ServiceEntry) {
			e.Service.Tags = []string{"b", "a"}
			e.Service.Meta = map[string]string{"version": "2"}
			e.Service.Weights = api.AgentWeights{Passing: 7, Warning: 3}
			e.Node.Meta = map[string]string{"rack": "r1"}
			e.Node.Locality = &api.Locality{Region: "eu", Zone: "eu-1"}
		})
		change := make(chan struct{})
		var index atomic.Uint64
		index.Store(1)
		f := startFake(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("index") != "" {
				select {
				case <-change:
				case <-r.Context().Done():
				}
			}
			answer(w, index.Add(1), e)
		})
		cc := f.build(t, "consul:///x?health=warning")
		expect(t, cc, "list 10.0.0.1:80")
		want := consul.Instance{
			ID: "id-10.0.0.1:80", Service: "x", Node: "n1", Datacenter: "dc1", Region: "eu", Zone: "eu-1",
			Tags: []string{"b", "a"}, Meta: map[string]string{"version": "2"}, NodeMeta: map[string]string{"rack": "r1"}, Status: "passing",
		}
		check := func(wantWeight uint32) {
			t.Helper()
			of := map[string]resolver.Endpoint{
				"endpoint": cc.last.Endpoints[0],
				"address":  {Attributes: cc.last.Addresses[0].BalancerAttributes},
			}
			for name, e := range of {
				got, ok := consul.InstanceOf(e)
				if diff := cmp.Diff(want, got, cmp.FilterPath(unexported, cmp.Ignore())); !ok || diff != "" {
					t.Fatalf("InstanceOf the %s (-want +got):\n%s", name, diff)
				}
				if got := weight.FromEndpoint(e).Weight; got != wantWeight {
					t.Errorf("weight of the %s = %d, want %d", name, got, wantWeight)
				}
				got.Tags[0], got.Meta["version"] = "changed", "changed" // which is the caller's right
			}
			if a := cc.last.Endpoints[0].Addresses[0]; a.Attributes != nil || a.BalancerAttributes != nil {
				t.Errorf("attributes of the address inside the endpoint = %v and %v, want none: they would replace connections", a.Attributes, a.BalancerAttributes)
			}
		}
		check(7)
		check(7)

		e.Service.Meta["version"], want.Meta["version"] = "3", "3"
		change <- struct{}{}
		expect(t, cc, "list 10.0.0.1:80")
		check(7)

		e.Checks[0].Status, want.Status = "warning", "warning"
		e.Service.Locality = &api.Locality{Region: "us", Zone: "us-9"}
		want.Region, want.Zone = "us", "us-9"
		change <- struct{}{}
		expect(t, cc, "list 10.0.0.1:80")
		check(3)

		change <- struct{}{}
		expect(t, cc) // the same again
	})
}

func unexported(p cmp.Path) bool {
	f, ok := p.Index(-1).(cmp.StructField)
	return ok && f.Name() == "position"
}

func TestNearKeepsConsulsOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		entries := []*api.ServiceEntry{instance("10.0.0.3:80"), instance("10.0.0.1:80"), instance("10.0.0.3:80"), instance("10.0.0.2:80")}
		f := startFake(t, func(w http.ResponseWriter, r *http.Request) {
			hold(r)
			answer(w, 7, entries...)
		})
		expect(t, f.build(t, "consul:///x?near=_agent"), "list 10.0.0.3:80 10.0.0.1:80 10.0.0.2:80")
		expect(t, f.build(t, "consul:///x?near=_agent&limit=2"), "list 10.0.0.3:80 10.0.0.1:80")
		expect(t, f.build(t, "consul:///x"), "list 10.0.0.1:80 10.0.0.2:80 10.0.0.3:80")
	})
}

func TestLimitKeepsItsChoice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var entries []*api.ServiceEntry
		for i := range 100 {
			entries = append(entries, instance(fmt.Sprintf("10.0.0.%d:80", i)))
		}
		gone := make(chan string)
		f := startFake(t, func(w http.ResponseWriter, r *http.Request) {
			index := uint64(len(entries))
			if r.URL.Query().Get("index") != "" {
				select {
				case addr := <-gone:
					entries = slices.DeleteFunc(entries, func(e *api.ServiceEntry) bool { return "id-"+addr == e.Service.ID })
				case <-r.Context().Done():
				}
			}
			answer(w, 1000-index, entries...)
		})
		cc := f.build(t, "consul:///x?limit=10")
		list := func() []string { return strings.Fields(strings.TrimPrefix(cc.take()[0], "list ")) }
		before := list()
		if len(before) != 10 {
			t.Fatalf("endpoints = %q, want 10", before)
		}
		gone <- before[3]
		after := list()
		kept := 0
		for _, addr := range after {
			if slices.Contains(before, addr) {
				kept++
			}
		}
		if len(after) != 10 || kept != 9 {
			t.Errorf("endpoints after one of ten has gone: %q, of which %d were there before; want 10 and 9", after, kept)
		}
	})
}

func TestServiceConfigFromAKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		values := make(chan string, 1)
		value, version := "{\"a\":1}", uint64(1)
		f := startFake(t, func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasPrefix(r.URL.Path, "/v1/kv/") {
				good(w, r)
				return
			}
			if r.URL.Query().Get("index") != "" {
				select {
				case value = <-values:
					version++
				case <-r.Context().Done():
				}
			} else {
				time.Sleep(time.Second / 2)
			}
			writeKey(w, version, value)
		})
		cc := f.build(t, "consul:///x?config-key=config/payments")
		expect(t, cc) // a list without its config would be wrong
		time.Sleep(2 * time.Second)
		expect(t, cc, "list 10.0.0.1:80")
		check := func(want string) {
			t.Helper()
			if got := cc.config(); got != want {
				t.Errorf("service config = %q, want %q", got, want)
			}
		}
		check(`{"a":1}`)
		values <- `{"a":2}`
		expect(t, cc, "list 10.0.0.1:80")
		check(`{"a":2}`)
		values <- "garbage"
		expect(t, cc)
		check(`{"a":2}`)
		values <- "" // the key is gone
		expect(t, cc, "list 10.0.0.1:80")
		check("")
	})
}

func writeKey(w http.ResponseWriter, index uint64, value string) {
	w.Header().Set("X-Consul-Index", strconv.FormatUint(index, 10))
	if value == "" {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	_ = json.NewEncoder(w).Encode(api.KVPairs{{Key: "config/payments", Value: []byte(value)}})
}

func TestKeyThatCannotBeReadTakesNothingAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := startFake(t, func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/v1/kv/") {
				http.Error(w, "Permission denied", http.StatusForbidden)
				return
			}
			good(w, r)
		})
		cc := f.build(t, "consul:///x?config-key=k")
		time.Sleep(time.Minute)
		expect(t, cc, "list 10.0.0.1:80")
		if n := len(f.seen()); n > 40 {
			t.Errorf("queries in a minute = %d, want at most 40", n)
		}
	})
}

func TestPreparedQueryIsPolled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var addr, ttl atomic.Pointer[string]
		addr.Store(new("10.0.0.1:80"))
		ttl.Store(new(""))
		f := startFake(t, func(w http.ResponseWriter, _ *http.Request) {
			_ = json.NewEncoder(w).Encode(api.PreparedQueryExecuteResponse{
				Nodes: []api.ServiceEntry{*instance(*addr.Load(), withStatus("warning"))},
				DNS:   api.QueryDNSOptions{TTL: *ttl.Load()},
			})
		})
		cc := f.build(t, "consul:///x?query=1")
		expect(t, cc, "list 10.0.0.1:80") // the query itself decides who is healthy
		addr.Store(new("10.0.0.2:80"))
		time.Sleep(12 * time.Second)
		expect(t, cc, "list 10.0.0.2:80")

		addr.Store(new("10.0.0.3:80"))
		cc.resolver.ResolveNow(resolver.ResolveNowOptions{})
		time.Sleep(time.Second)
		expect(t, cc, "list 10.0.0.3:80")

		ttl.Store(new("3s"))
		before := len(f.seen())
		time.Sleep(2 * time.Minute)
		if n := len(f.seen()) - before; n < 30 || n > 45 {
			t.Errorf("executions in 2 minutes with a TTL of 3 s = %d, want about 40", n)
		}
		before = len(f.seen())
		for range 600 { // whoever asks for more does not get it
			cc.resolver.ResolveNow(resolver.ResolveNowOptions{})
			time.Sleep(100 * time.Millisecond)
		}
		if n := len(f.seen()) - before; n > 61 {
			t.Errorf("executions in a minute of ResolveNow = %d, want at most one a second", n)
		}
	})
}

func parse(t *testing.T, target string) url.URL {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	return *u
}
