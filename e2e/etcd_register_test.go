package e2e

import (
	"context"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/naming/endpoints"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/evenkeel-grpc/evenkeel/resolvers/etcd"
)

// register keeps b registered under the prefix x until the test or ctx ends.
func register(ctx context.Context, tb testing.TB, c *clientv3.Client, reg etcd.Registration) *etcd.Registrar {
	tb.Helper()
	ctx, cancel := context.WithCancel(ctx)
	r, err := etcd.Register(ctx, c, reg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		cancel()
		<-r.Done()
	})
	ready, cancelReady := context.WithTimeout(ctx, 10*time.Second)
	defer cancelReady()
	if err := r.Ready(ready); err != nil {
		tb.Fatal(err)
	}
	return r
}

func stored(tb testing.TB, c *clientv3.Client, key string) string {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 10*time.Second)
	defer cancel()
	resp, err := c.Get(ctx, key)
	if err != nil {
		tb.Fatal(err)
	}
	if len(resp.Kvs) == 0 {
		return ""
	}
	return string(resp.Kvs[0].Value)
}

func TestEtcdRegisterUpdateAndDrain(t *testing.T) {
	s := startEtcdCluster(t, 3)
	c := s.client(t)
	a, b := startBackend(t), startBackend(t)
	register(t.Context(), t, c, etcd.Registration{Prefix: "x", Addr: a.addr})
	r := register(t.Context(), t, c, etcd.Registration{Prefix: "x", Addr: b.addr, Weight: 3, DrainWait: 100 * time.Millisecond})
	cc := dial(t, "etcd://"+s.hosts()+"/x")
	seen := build(t, "etcd://"+s.hosts()+"/x")
	waitForBackends(t, cc, a, b)
	load := startCallers(t, cc)
	eventually(t, "the weight", func() bool { return seen.metadata(b.addr) == `{"weight":3}` })

	if err := r.Update(t.Context(), map[string]string{"zone": "b"}, 7); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the new weight", func() bool { return seen.metadata(b.addr) == `{"weight":7,"zone":"b"}` })
	if slices.Contains(seen.calls(), "list "+a.addr) {
		t.Errorf("the entry was gone while it was updated: %q", seen.calls())
	}

	if err := r.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.server.GracefulStop()
	<-r.Done()
	if got := stored(t, c, r.Key()); got != "" {
		t.Errorf("entry after Drain = %s, want none", got)
	}
	waitForBackends(t, cc, a)
	load.mustNotHaveFailed(t)
	if got := b.accepted.Load(); got != 1 {
		t.Errorf("connections to the backend whose entry changed = %d, want 1", got)
	}
}

// Whatever is done to an entry, it comes back.
func TestEtcdRegistrationIsRepaired(t *testing.T) {
	s := startEtcd(t)
	c := s.client(t)
	var mu sync.Mutex
	var seen []etcd.Status
	reg := etcd.Registration{Prefix: "x", ID: "1", Addr: "10.0.0.1:9000", TTL: time.Second}
	reg.OnStatus = func(s etcd.Status) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, s)
	}
	r := register(t.Context(), t, c, reg)
	const want = `{"Op":0,"Addr":"10.0.0.1:9000","Metadata":null}`
	outage := length(4*time.Second, 15*time.Second)
	for _, tt := range []struct {
		name string
		do   func()
	}{
		{"the key is deleted", func() { remove(t, c, "x/1") }},
		{"the key is overwritten", func() { putValue(t, c, "x/1", "mine") }},
		{"the lease is revoked", func() {
			if _, err := c.Revoke(t.Context(), r.Status().Lease); err != nil {
				t.Error(err)
			}
		}},
		{"etcd is down for longer than the TTL", func() {
			s.stop()
			time.Sleep(outage)
			s.start(t)
		}},
		{"etcd has lost its data", func() {
			s.stop()
			s.members[0].dir = t.TempDir()
			s.start(t)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			mu.Lock()
			seen = nil
			mu.Unlock()
			t.Cleanup(func() {
				mu.Lock()
				defer mu.Unlock()
				t.Logf("statuses: %+v", seen)
			})
			tt.do()
			eventually(t, "the entry is there again, after a failure that was told", func() bool {
				mu.Lock()
				defer mu.Unlock()
				failed := slices.IndexFunc(seen, func(s etcd.Status) bool { return s.State == etcd.Retrying && s.Err != nil })
				last := r.Status()
				return failed >= 0 && last.State == etcd.Registered && last.Err == nil && stored(t, c, "x/1") == want
			})
		})
	}
	// The lease is the entry's, and lives on.
	time.Sleep(2 * reg.TTL)
	if got := stored(t, c, "x/1"); got != want || r.Status().State != etcd.Registered {
		t.Errorf("two TTLs later the entry is %q, status %+v", got, r.Status())
	}
}

func TestEtcdRegistrationBeforeEtcdIsThere(t *testing.T) {
	s := newEtcd(t)
	c := openClient(t, clientv3.Config{Endpoints: []string{s.addr}})
	r, err := etcd.Register(t.Context(), c, etcd.Registration{Prefix: "x", Addr: "10.0.0.1:9000"})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "a status that says why", func() bool {
		s := r.Status()
		return s.State == etcd.Retrying && s.Err != nil
	})
	if got := r.Status().Err.Error(); !strings.Contains(got, "no connection to etcd") {
		t.Errorf("error before etcd is there = %s, want that there is no connection", got)
	}
	s.start(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := r.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	if err := r.Drain(ctx); err != nil {
		t.Error(err)
	}
}

// A server that dies without a word is found out by its lease.
func TestEtcdCrashedBackend(t *testing.T) {
	s := startEtcdCluster(t, 3)
	c := s.client(t)
	a, b := startBackend(t), startBackend(t)
	put(t, c, "x/1", a.addr)
	theirs := startProxies(t, s.addrs()...)
	register(t.Context(), t, openClient(t, clientv3.Config{Endpoints: []string{theirs.all[0].Listen, theirs.all[1].Listen, theirs.all[2].Listen}}),
		etcd.Registration{Prefix: "x", Addr: b.addr, TTL: 2 * time.Second})
	cc := dial(t, "etcd://"+s.hosts()+"/x")
	waitForBackends(t, cc, a, b)
	load := startCallers(t, cc)

	eventually(t, "traffic on the backend", func() bool { return !load.lastOn(b.addr).IsZero() })
	crashed := time.Now() // but for its port, so that RPCs there can be seen
	theirs.blackHole(t)
	eventually(t, "a second without RPCs on the crashed backend", func() bool {
		return time.Since(load.lastOn(b.addr)) > time.Second
	})
	waitForBackends(t, cc, a)
	took := load.lastOn(b.addr).Sub(crashed)
	t.Logf("last RPC on the crashed backend after %v", took)
	if *full && took > 2500*time.Millisecond {
		t.Errorf("last RPC on the crashed backend after %v, want 2.5 s", took)
	}
	load.mustNotHaveFailed(t)
}

func TestEtcdOfficialManagerReadsWhatRegisterWrites(t *testing.T) {
	s := startEtcd(t)
	c := s.client(t)
	register(t.Context(), t, c, etcd.Registration{Prefix: "foo/bar", ID: "a", Addr: "10.0.0.1:9000"})
	register(t.Context(), t, c, etcd.Registration{Prefix: "foo/bar", ID: "b", Addr: "10.0.0.2:9000", Metadata: map[string]any{"zone": "z"}, Weight: 5})
	manager, err := endpoints.NewManager(c, "foo/bar")
	if err != nil {
		t.Fatal(err)
	}
	got, err := manager.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got["foo/bar/a"].Addr != "10.0.0.1:9000" || got["foo/bar/b"].Addr != "10.0.0.2:9000" {
		t.Errorf("the manager lists %v", got)
	}
	meta, ok := got["foo/bar/b"].Metadata.(map[string]any)
	if !ok || meta["zone"] != "z" || meta["weight"] != 5.0 {
		t.Errorf("the manager reads the metadata %v", got["foo/bar/b"].Metadata)
	}
}

// A config that the channel cannot use takes neither its endpoints nor the config
// that it has.
func TestEtcdServiceConfigFromAKey(t *testing.T) {
	s := startEtcd(t)
	c := s.client(t)
	a, b := startBackend(t), startBackend(t)
	put(t, c, "x/1", a.addr)
	put(t, c, "x/2", b.addr)
	putValue(t, c, "config/x", roundRobin)
	target := "etcd://" + s.addr + "/x?config-key=config/x"
	cc := dialPlain(t, target)
	waitForBackends(t, cc, a, b)

	putValue(t, c, "config/x", `{"loadBalancingConfig":[{"no_such_policy":{}}]}`)
	d := startBackend(t)
	put(t, c, "x/3", d.addr)
	waitForBackends(t, cc, a, b, d)

	// A channel that never had a better one says what is wrong. The config has a
	// watch of its own, so the news of it may come after that of the endpoint.
	var fresh *grpc.ClientConn
	eventually(t, "an RPC that fails because its channel has only a config that cannot be used", func() bool {
		fresh = dialPlain(t, target)
		_, err := call(rpcDeadline(t), fresh)
		t.Log(err)
		return status.Code(err) == codes.Unavailable
	})

	putValue(t, c, "config/x", `{"loadBalancingConfig":[{"pick_first":{}}]}`)
	waitForOne(t, cc)
	waitForOne(t, fresh)
	remove(t, c, "config/x")
	putValue(t, c, "config/x", roundRobin)
	waitForBackends(t, cc, a, b, d)
}

func TestEtcdRegisterExample(t *testing.T) {
	s := startEtcd(t)
	cmd := exec.CommandContext(t.Context(), "go", "run", "github.com/evenkeel-grpc/evenkeel/examples/register", "-etcd", s.addr)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"the server that was found is SERVING", "is registered", "is stopped"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the example printed %q, want %q in it", out, want)
		}
	}
}
