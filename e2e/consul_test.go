package e2e

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/consul/api"
	"google.golang.org/grpc/resolver"

	"github.com/evenkeel-grpc/evenkeel/resolvers/consul"
)

func TestConsulFollowsRegistrations(t *testing.T) {
	s := startConsul(t)
	a, b := startBackend(t), startBackend(t)
	s.register(t, "payments", a)
	cc := dial(t, s.target("payments"))
	waitForBackends(t, cc, a)
	s.register(t, "payments", b)
	waitForBackends(t, cc, a, b)
	s.deregister(t, a)
	waitForBackends(t, cc, b)
}

func TestConsulFollowsChecks(t *testing.T) {
	s := startConsul(t)
	a, b := startBackend(t), startBackend(t)
	s.register(t, "x", a, withTTL(api.HealthPassing))
	s.register(t, "x", b, withTTL(api.HealthCritical))
	usual, warned := dial(t, s.target("x")), dial(t, s.target("x", "health=warning"))
	all, fallback := dial(t, s.target("x", "healthy=false")), dial(t, s.target("x", "fallback"))
	waitForBackends(t, usual, a)
	waitForBackends(t, all, a, b)

	s.setCheck(t, b, api.HealthWarning)
	waitForBackends(t, warned, a, b)
	waitForBackends(t, usual, a)

	s.setCheck(t, b, api.HealthPassing)
	waitForBackends(t, usual, a, b)
	s.setCheck(t, a, api.HealthCritical)
	waitForBackends(t, usual, b)
	waitForBackends(t, fallback, b)
	s.setCheck(t, b, api.HealthCritical)
	waitForBackends(t, fallback, a, b)

	s.setCheck(t, a, api.HealthPassing)
	waitForBackends(t, usual, a)
	if err := s.client(t).Agent().EnableServiceMaintenance(a.addr, "test"); err != nil {
		t.Fatal(err)
	}
	s.setCheck(t, b, api.HealthPassing)
	waitForBackends(t, usual, b)
}

func TestConsulTagsAndFilter(t *testing.T) {
	s := startConsul(t)
	tagged := func(tags ...string) *backend {
		b := startBackend(t)
		s.register(t, "x", b, func(r *api.AgentServiceRegistration) {
			r.Tags = tags
			r.Meta = map[string]string{"tags": strings.Join(tags, "-")}
		})
		return b
	}
	a, b, ab := tagged("a"), tagged("b"), tagged("a", "b")
	waitForBackends(t, dial(t, s.target("x", "tag=a")), a, ab)
	waitForBackends(t, dial(t, s.target("x", "tag=a", "tag=b")), ab)
	waitForBackends(t, dial(t, s.target("x", "tags=a,b")), ab)
	waitForBackends(t, dial(t, s.target("x/", "tag=b")), b, ab) // with a slash
	waitForBackends(t, dial(t, s.target("x", "filter="+url.QueryEscape(`Service.Meta.tags == "b" or "a" not in Service.Tags`))), b)
	waitForBackends(t, dial(t, s.target("x", "near=_agent", "stale")), a, b, ab)
	waitForBackends(t, dial(t, s.target("x", "near=_agent", "consistent")), a, b, ab)
	waitForBackends(t, dial(t, s.target("x", "cached")), a, b, ab)
	waitForOne(t, dial(t, s.target("x", "limit=1")))
}

func TestConsulEnvironment(t *testing.T) {
	s := startConsul(t)
	a := startBackend(t)
	s.register(t, "x", a)
	t.Setenv("CONSUL_HTTP_ADDR", s.http)
	waitForBackends(t, dial(t, "consul:///x"), a)
}

func TestConsulPreparedQuery(t *testing.T) {
	s := startConsul(t)
	a, b := startBackend(t), startBackend(t)
	s.register(t, "x", a)
	if _, _, err := s.client(t).PreparedQuery().Create(&api.PreparedQueryDefinition{
		Name: "find-x", Service: api.ServiceQuery{Service: "x"}, DNS: api.QueryDNSOptions{TTL: "1s"},
	}, nil); err != nil {
		t.Fatal(err)
	}
	cc := dial(t, s.target("find-x", "query=1"))
	waitForBackends(t, cc, a)
	s.register(t, "x", b)
	waitForBackends(t, cc, a, b)
}

func TestConsulConnect(t *testing.T) {
	s := startConsul(t)
	a, b := startBackend(t), startBackend(t)
	s.register(t, "x", a)
	s.register(t, "x", b, func(r *api.AgentServiceRegistration) { r.Connect = &api.AgentServiceConnect{Native: true} })
	waitForBackends(t, dial(t, s.target("x", "connect")), b)
}

func TestConsulTaggedAddresses(t *testing.T) {
	s := startConsul(t)
	a, b, d := startBackend(t), startBackend(t), startBackend(t)
	s.register(t, "x", a, func(r *api.AgentServiceRegistration) {
		wan, admin := instanceOf(t, "x", b.addr), instanceOf(t, "x", d.addr)
		r.TaggedAddresses = map[string]api.ServiceAddress{
			"wan":   {Address: wan.Address, Port: wan.Port},
			"admin": {Address: admin.Address, Port: admin.Port},
		}
	})
	waitForBackends(t, dial(t, s.target("x")), a)
	waitForBackends(t, dial(t, s.target("x", "addr=wan")), b)
	waitForBackends(t, dial(t, s.target("x", "addr=admin")), d)

	s.register(t, "kratos", d, func(r *api.AgentServiceRegistration) {
		r.TaggedAddresses = map[string]api.ServiceAddress{"grpc": {Address: "grpc://" + d.addr, Port: 1}}
		r.Port = 1 // of another protocol
	})
	waitForBackends(t, dial(t, s.target("kratos")), d)
}

func TestConsulServiceConfigFromAKey(t *testing.T) {
	s := startConsul(t)
	a, b := startBackend(t), startBackend(t)
	s.register(t, "x", a)
	s.register(t, "x", b)
	put := func(config string) {
		t.Helper()
		if _, err := s.client(t).KV().Put(&api.KVPair{Key: "config/x", Value: []byte(config)}, nil); err != nil {
			t.Fatal(err)
		}
	}
	put(`{"loadBalancingConfig":"malformed"}`)
	cc := dialPlain(t, s.target("x", "config-key=config/x")) // without a config of its own to go on with
	mustCall(t, cc)
	put(roundRobin)
	waitForBackends(t, cc, a, b)
	put(`{"loadBalancingConfig":[{"round_ro`)
	put(`{"loadBalancingConfig":[{"pick_first":{}}]}`)
	waitForOne(t, cc)
}

func TestConsulMetadataChangesReplaceNoConnection(t *testing.T) {
	s := startConsul(t)
	a := startBackend(t)
	cc := dial(t, s.target("x"))
	seen := build(t, s.target("x"))
	for i, version := range []string{"1", "2", "3"} {
		s.register(t, "x", a, func(r *api.AgentServiceRegistration) {
			r.Meta = map[string]string{"version": version}
			r.Weights = &api.AgentWeights{Passing: i + 1, Warning: 1}
			r.Locality = &api.Locality{Region: "eu", Zone: "eu-" + version}
		})
		eventually(t, "metadata of version "+version, func() bool {
			e, ok := seen.endpoint(a.addr)
			i, known := consul.InstanceOf(e)
			return ok && known && i.Meta["version"] == version && i.Zone == "eu-"+version && i.ID == a.addr
		})
		waitForBackends(t, cc, a)
	}
	if got := a.accepted.Load(); got != 1 {
		t.Errorf("connections = %d, want 1", got)
	}
}

func TestConsulDatacentersFailOver(t *testing.T) {
	one := newConsul(t, `datacenter = "one"`)
	two := newConsul(t, `datacenter = "two"`)
	two.args = append(two.args, "-retry-join-wan="+one.wan, "-retry-interval-wan=100ms")
	one.start(t)
	two.start(t)
	a, b := startBackend(t), startBackend(t)
	one.register(t, "x", a, withTTL(api.HealthPassing))
	two.register(t, "x", b)
	eventually(t, "the datacenters know each other", func() bool {
		dcs, err := one.client(t).Catalog().Datacenters()
		return err == nil && len(dcs) == 2
	})
	waitForBackends(t, dial(t, one.target("x", "dc=two")), b)
	cc := dial(t, one.target("x", "dc=one", "dc=two"))
	waitForBackends(t, cc, a)
	one.setCheck(t, a, api.HealthCritical)
	waitForBackends(t, cc, b)
	one.setCheck(t, a, api.HealthPassing)
	waitForBackends(t, cc, a)
}

// endpoint returns the endpoint with the given address.
func (v *view) endpoint(addr string) (resolver.Endpoint, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	i := slices.IndexFunc(v.state.Endpoints, func(e resolver.Endpoint) bool { return e.Addresses[0].Addr == addr })
	if i < 0 {
		return resolver.Endpoint{}, false
	}
	return v.state.Endpoints[i], true
}
