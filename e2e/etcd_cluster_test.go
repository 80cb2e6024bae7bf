package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// list returns the addresses that a view was told last.
func (v *view) list() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	var addrs []string
	for _, e := range v.state.Endpoints {
		addrs = append(addrs, e.Addresses[0].Addr)
	}
	return addrs
}

// storm makes n changes of n/10 keys under x/, the last of which leave them
// with the addresses that it returns.
func storm(tb testing.TB, c *clientv3.Client, n int) (final []string) {
	tb.Helper()
	const batch = 100
	keys := n / 10
	for i := 0; i < n; i += batch {
		var ops []clientv3.Op
		for j := i; j < i+batch; j++ {
			value := fmt.Sprintf(`{"Op":0,"Addr":"10.0.%d.%d:%d","Metadata":null}`, j%keys/250, j%keys%250, 1+j/keys)
			ops = append(ops, clientv3.OpPut(fmt.Sprintf("x/s%05d", j%keys), value))
		}
		ctx, cancel := context.WithTimeout(tb.Context(), 20*time.Second)
		if _, err := c.Txn(ctx).Then(ops...).Commit(); err != nil {
			tb.Fatal(err)
		}
		cancel()
	}
	for k := range keys {
		final = append(final, fmt.Sprintf("10.0.%d.%d:%d", k/250, k%250, 10))
	}
	slices.Sort(final)
	return final
}

// A client that was cut off while its past was forgotten finds the present.
func TestEtcdPartitionAndCompaction(t *testing.T) {
	c := startEtcdCluster(t, 3)
	direct := c.client(t)
	proxied := startProxies(t, c.addrs()...)
	a, b, d := startBackend(t), startBackend(t), startBackend(t)
	put(t, direct, "y/1", a.addr)
	put(t, direct, "y/2", b.addr)
	put(t, direct, "x/s00000", "10.9.9.9:1")
	cc := dial(t, "etcd://"+proxied.hosts()+"/y")
	seen := build(t, "etcd://"+proxied.hosts()+"/x")
	waitForBackends(t, cc, a, b)
	eventually(t, "the first list", func() bool { return len(seen.list()) == 1 })
	load := startCallers(t, cc)

	proxied.blackHole(t)
	put(t, direct, "y/2", d.addr)
	want := storm(t, direct, 10_000)
	compact(t, direct)
	time.Sleep(length(0, 20*time.Second)) // until every wait and timeout is at its longest
	proxied.heal(t)
	healed := time.Now()

	eventually(t, "the list after the partition", func() bool { return slices.Equal(seen.list(), want) })
	took := time.Since(healed)
	t.Logf("right list %v after the partition healed", took)
	if *full && took > 2*time.Second {
		t.Errorf("right list %v after the partition healed, want 2 s", took)
	}
	waitForBackends(t, cc, a, d)
	load.mustNotHaveFailed(t)
}

// Each fault is there while something changes; the change is seen all the same,
// at the latest when the fault is gone.
func TestEtcdNetworkFaults(t *testing.T) {
	for _, tt := range []struct {
		name   string
		fault  func(*proxies)
		passes bool // whether the change gets through
	}{
		{"latency", func(p *proxies) { p.latency(t, 200) }, true},
		{"reset", func(p *proxies) { p.reset(t) }, false},
		{"half-open", func(p *proxies) { p.halfOpen(t) }, false},
		{"black hole", func(p *proxies) { p.blackHole(t) }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := startEtcd(t)
			c := s.client(t)
			proxied := startProxies(t, s.addr)
			a, b := startBackend(t), startBackend(t)
			put(t, c, "x/1", a.addr)
			cc := dial(t, "etcd://"+proxied.hosts()+"/x")
			waitForBackends(t, cc, a)
			load := startCallers(t, cc)
			tt.fault(proxied)
			put(t, c, "x/2", b.addr)
			if tt.passes {
				waitForBackends(t, cc, a, b)
			} else {
				time.Sleep(length(300*time.Millisecond, 20*time.Second))
			}
			proxied.heal(t)
			waitForBackends(t, cc, a, b)
			load.mustNotHaveFailed(t)
		})
	}
}

func TestEtcdMembersComeAndGo(t *testing.T) {
	c := startEtcdCluster(t, 3)
	direct := c.client(t)
	a, b := startBackend(t), startBackend(t)
	put(t, direct, "x/1", a.addr)
	cc := dial(t, "etcd://"+c.hosts()+"/x")
	waitForBackends(t, cc, a)
	load := startCallers(t, cc)
	check := func(what string) {
		t.Helper()
		put(t, direct, "x/2", b.addr)
		waitForBackends(t, cc, a, b)
		remove(t, direct, "x/2")
		waitForBackends(t, cc, a)
		t.Logf("followed on: %s", what)
	}

	leader := c.leader(t)
	leader.stop()
	check("without the old leader")
	leader.start(t)
	for _, m := range c.members {
		m.stop()
		check("without " + m.name)
		m.start(t)
		check("with " + m.name)
	}

	c.stop()
	time.Sleep(length(3*time.Second, 30*time.Second))
	c.start(t)
	check("after everything was down")
	load.mustNotHaveFailed(t)
	if got := a.accepted.Load(); got != 1 {
		t.Errorf("connections to a backend that was always there = %d, want 1", got)
	}
}

// A member alone cannot say what is true, but what was.
func TestEtcdWithoutAQuorum(t *testing.T) {
	c := startEtcdCluster(t, 3)
	a, b := startBackend(t), startBackend(t)
	direct := c.client(t)
	put(t, direct, "x/1", a.addr)
	kept := dial(t, "etcd://"+c.hosts()+"/x")
	waitForBackends(t, kept, a)
	alone := c.members[0]
	eventually(t, "the entry in every member", func() bool {
		resp, err := direct.Get(t.Context(), "x/1", clientv3.WithSerializable())
		return err == nil && len(resp.Kvs) == 1 && c.members[0].etcd.Server.AppliedIndex() >= c.leader(t).etcd.Server.AppliedIndex()
	})
	c.members[1].stop()
	c.members[2].stop()

	fresh := dial(t, "etcd://"+alone.addr+"/x") // nobody has read the prefix through this host
	seen := build(t, "etcd://"+alone.addr+"/x")
	waitForBackends(t, fresh, a)
	waitForBackends(t, kept, a)
	eventually(t, "an error that says so", func() bool {
		return slices.ContainsFunc(seen.calls(), func(call string) bool {
			return strings.HasPrefix(call, `error etcd: "x/": `) && strings.Contains(call, "using what one member has at revision")
		})
	})
	c.start(t)
	put(t, direct, "x/2", b.addr)
	waitForBackends(t, fresh, a, b)
	waitForBackends(t, kept, a, b)
}

// A cluster that lost its data has another history. A watch from a revision that
// it reaches much later would be deaf until then.
func TestEtcdSetUpAnew(t *testing.T) {
	s := startEtcd(t)
	c := s.client(t)
	a, b := startBackend(t), startBackend(t)
	for range 50 {
		put(t, c, "x/1", a.addr)
	}
	cc := dial(t, "etcd://"+s.addr+"/x")
	waitForBackends(t, cc, a)
	load := startCallers(t, cc)
	s.stop()
	s.members[0].dir = t.TempDir()
	s.start(t)
	put(t, c, "x/2", b.addr)
	waitForBackends(t, cc, b)
	put(t, c, "x/1", a.addr)
	waitForBackends(t, cc, a, b)
	load.mustNotHaveFailed(t)
}
