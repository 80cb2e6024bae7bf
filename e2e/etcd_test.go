package e2e

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/naming/endpoints"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/evenkeel-grpc/evenkeel/resolvers/etcd"
)

func TestMain(m *testing.M) {
	if os.Getenv(followerEnv) != "" {
		runFollower()
		return
	}
	goleak.VerifyTestMain(m,
		// A member that is killed while another asks for its version may hold
		// that request for ever.
		goleak.IgnoreAnyFunction("go.etcd.io/etcd/server/v3/etcdserver.(*EtcdServer).StorageVersion"),
		// And a connection that was reset may have one half left in the proxy.
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2/toxics.(*ToxicStub).Run"))
}

func TestEtcdDiscoversWhatIsThere(t *testing.T) {
	s := startEtcd(t)
	c := s.client(t)
	a, b := startBackend(t), startBackend(t)
	put(t, c, "services/payments/1", a.addr)
	put(t, c, "services/payments/deeper/2", b.addr)
	waitForBackends(t, dial(t, "etcd://"+s.addr+"/services/payments"), a, b)
}

func TestEtcdWithTheProgramsClient(t *testing.T) {
	s := startEtcd(t)
	c := s.client(t)
	a, b := startBackend(t), startBackend(t)
	put(t, c, "services/payments/1", a.addr)
	cc := dial(t, "etcd:///services/payments", grpc.WithResolvers(etcd.NewBuilder(etcd.WithClient(c))))
	waitForBackends(t, cc, a)
	put(t, c, "services/payments/2", b.addr)
	waitForBackends(t, cc, a, b)
	_ = cc.Close()
	put(t, c, "services/payments/3", b.addr) // the client still works
}

func TestEtcdFollowsPutsAndDeletes(t *testing.T) {
	s := startEtcd(t)
	c := s.client(t)
	a, b, d := startBackend(t), startBackend(t), startBackend(t)
	put(t, c, "x/1", a.addr)
	cc := dial(t, "etcd://"+s.addr+"/x")
	waitForBackends(t, cc, a)
	put(t, c, "x/2", b.addr)
	waitForBackends(t, cc, a, b)
	remove(t, c, "x/1")
	waitForBackends(t, cc, b)
	put(t, c, "x/2", d.addr) // one key, another address
	waitForBackends(t, cc, d)
}

func TestEtcdFollowsALeaseThatExpires(t *testing.T) {
	s := startEtcd(t)
	c := s.client(t)
	a, b := startBackend(t), startBackend(t)
	lease, err := c.Grant(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	put(t, c, "x/1", a.addr)
	put(t, c, "x/2", b.addr, clientv3.WithLease(lease.ID))
	cc := dial(t, "etcd://"+s.addr+"/x")
	waitForBackends(t, cc, a, b)
	waitForBackends(t, cc, a)
}

func TestEtcdDoesNotMixUpPrefixes(t *testing.T) {
	s := startEtcd(t)
	c := s.client(t)
	foo, foobar := startBackend(t), startBackend(t)
	put(t, c, "foo/1", foo.addr)
	put(t, c, "foobar/1", foobar.addr)
	put(t, c, "foo", foobar.addr)
	cc := dial(t, "etcd://"+s.addr+"/foo")
	for range 10 {
		if got := mustCall(t, cc); got != foo.addr {
			t.Fatalf("an RPC for foo went to %s, want %s", got, foo.addr)
		}
	}
}

func TestEtcdReadsWhatTheOfficialManagerWrites(t *testing.T) {
	s := startEtcd(t)
	c := s.client(t)
	a, b, d := startBackend(t), startBackend(t), startBackend(t)
	manager, err := endpoints.NewManager(c, "foo/bar")
	if err != nil {
		t.Fatal(err)
	}
	add := func(key string, e endpoints.Endpoint) {
		t.Helper()
		if err := manager.AddEndpoint(t.Context(), key, e); err != nil {
			t.Fatal(err)
		}
	}
	add("foo/bar/a", endpoints.Endpoint{Addr: a.addr})
	add("foo/bar/b", endpoints.Endpoint{Addr: b.addr, Metadata: map[string]any{"weight": 5}})
	cc := dial(t, "etcd://"+s.addr+"/foo/bar")
	seen := build(t, "etcd://"+s.addr+"/foo/bar")
	waitForBackends(t, cc, a, b)
	eventually(t, "the metadata of the manager", func() bool {
		return seen.metadata(b.addr) == `{"weight":5}` && seen.metadata(a.addr) == "none"
	})

	err = manager.Update(t.Context(), []*endpoints.UpdateWithOpts{
		endpoints.NewDeleteUpdateOpts("foo/bar/a"),
		endpoints.NewAddUpdateOpts("foo/bar/d", endpoints.Endpoint{Addr: d.addr}),
	})
	if err != nil {
		t.Fatal(err)
	}
	waitForBackends(t, cc, b, d)
}

func TestEtcdMetadataChangesReplaceNoConnection(t *testing.T) {
	s := startEtcd(t)
	c := s.client(t)
	a := startBackend(t)
	write := func(metadata string) {
		t.Helper()
		putValue(t, c, "x/1", `{"Addr":"`+a.addr+`","Metadata":`+metadata+`}`)
	}
	write(`{"zone":"a"}`)
	cc := dial(t, "etcd://"+s.addr+"/x")
	seen := build(t, "etcd://"+s.addr+"/x")
	waitForBackends(t, cc, a)
	for _, m := range []string{`{"zone":"b"}`, `[1,2]`, `"c"`} {
		write(m)
		eventually(t, "metadata "+m, func() bool { return seen.metadata(a.addr) == m })
		mustCall(t, cc)
	}
	if got := a.accepted.Load(); got != 1 {
		t.Errorf("connections = %d, want 1", got)
	}
}

func TestEtcdSkipsMalformedValues(t *testing.T) {
	s := startEtcd(t)
	c := s.client(t)
	a, b := startBackend(t), startBackend(t)
	putValue(t, c, "x/1", "garbage")
	put(t, c, "x/2", a.addr)
	cc := dial(t, "etcd://"+s.addr+"/x")
	waitForBackends(t, cc, a)
	putValue(t, c, "x/3", `{"Addr":"no port"}`)
	put(t, c, "x/4", b.addr)
	waitForBackends(t, cc, a, b)
}

func TestEtcdEmptyPrefixFailsRPCsWithTheCause(t *testing.T) {
	s := startEtcd(t)
	c := s.client(t)
	cc := dial(t, "etcd://"+s.addr+"/x")
	check := func(want string) {
		t.Helper()
		eventually(t, want, func() bool {
			_, err := call(t.Context(), cc)
			return status.Code(err) == codes.Unavailable && strings.Contains(err.Error(), want)
		})
	}
	check(`etcd: "x/": no endpoints: the prefix holds no key`)
	putValue(t, c, "x/1", "garbage")
	check(`etcd: "x/": no endpoints: malformed values skipped: 1`)
	a := startBackend(t)
	put(t, c, "x/1", a.addr)
	waitForBackends(t, cc, a)
}

func TestEtcdGrace(t *testing.T) {
	s := startEtcd(t)
	c := s.client(t)
	a := startBackend(t)
	put(t, c, "x/1", a.addr)
	kept := dial(t, "etcd://"+s.addr+"/x")
	dropped := dial(t, "etcd://"+s.addr+"/x?grace=200ms")
	waitForBackends(t, kept, a)
	waitForBackends(t, dropped, a)

	began := time.Now()
	remove(t, c, "x/1")
	eventually(t, "an error from the channel with the short grace period", func() bool {
		_, err := call(t.Context(), dropped)
		return status.Code(err) == codes.Unavailable
	})
	if d := time.Since(began); d < 200*time.Millisecond {
		t.Errorf("the list was dropped after %v, want 200ms", d)
	}
	waitForBackends(t, kept, a) // for another half a minute
}

// A thousand channels and registrations come and go; nothing of theirs is left, in
// here or in etcd.
func TestEtcdOpenAndCloseLeavesNothing(t *testing.T) {
	s := startEtcd(t)
	c := s.client(t)
	a := startBackend(t)
	put(t, c, "x/1", a.addr)
	mine := goleak.IgnoreCurrent()
	watches, streams := gauge(t, "etcd_debugging_mvcc_watcher_total"), gauge(t, "etcd_debugging_mvcc_watch_stream_total")
	shared := etcd.NewBuilder(etcd.WithClient(c))
	for i := range 1000 {
		switch i % 5 {
		case 0: // a client of its own
			openAndClose(t, dial(t, "etcd://"+s.addr+"/x"), true)
		case 1:
			openAndClose(t, dial(t, "etcd:///x", grpc.WithResolvers(shared)), true)
		case 2: // closed while it connects or lists
			openAndClose(t, dial(t, "etcd://"+s.addr+"/x"), false)
		case 3:
			openAndClose(t, dial(t, "etcd:///x", grpc.WithResolvers(shared)), false)
		case 4:
			enterAndLeave(t, c, i%10 < 5)
		}
	}
	leases, err := c.Leases(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(leases.Leases) != 0 {
		t.Errorf("leases left in etcd: %v", leases.Leases)
	}
	_ = c.Close() // its watch stream was started after mine
	eventually(t, "no watch is left in etcd", func() bool {
		return gauge(t, "etcd_debugging_mvcc_watcher_total") == watches &&
			gauge(t, "etcd_debugging_mvcc_watch_stream_total") == streams
	})
	eventually(t, "no goroutine of a channel is left", func() bool { return goleak.Find(mine) == nil })
}

// However many channels ask, etcd has one list to read and one watch to keep.
func TestEtcdChannelsShareAWatch(t *testing.T) {
	s := startEtcd(t)
	c := s.client(t)
	a, b := startBackend(t), startBackend(t)
	put(t, c, "x/1", a.addr)
	watches := gauge(t, "etcd_debugging_mvcc_watcher_total")
	shared := grpc.WithResolvers(etcd.NewBuilder(etcd.WithClient(c)))
	var all []*grpc.ClientConn
	for range 25 {
		all = append(all, dial(t, "etcd://"+s.addr+"/x"), dial(t, "etcd:///x", shared))
	}
	for _, cc := range all {
		mustCall(t, cc)
	}
	if got := gauge(t, "etcd_debugging_mvcc_watcher_total") - watches; got != 2 {
		t.Errorf("watches of %d channels with 2 clients = %v, want 2", len(all), got)
	}
	put(t, c, "x/2", b.addr)
	for _, cc := range all {
		waitForBackends(t, cc, a, b)
	}
}

func openAndClose(t *testing.T, cc *grpc.ClientConn, use bool) {
	t.Helper()
	if use {
		mustCall(t, cc)
	} else {
		cc.Connect()
	}
	if err := cc.Close(); err != nil {
		t.Fatal(err)
	}
}

// enterAndLeave registers and ends that, perhaps while the entry is written.
func enterAndLeave(t *testing.T, c *clientv3.Client, use bool) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := etcd.Register(ctx, c, etcd.Registration{Prefix: "y", Addr: "10.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	if use {
		if err := r.Ready(ctx); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	<-r.Done()
}

// gauge returns a metric of the etcd servers in this process.
func gauge(tb testing.TB, name string) float64 {
	tb.Helper()
	families, err := prometheus.DefaultGatherer.Gather()
	if err != nil {
		tb.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	tb.Fatalf("no metric %q", name)
	return 0
}

// rpcDeadline is for RPCs that are expected to fail on their own.
func rpcDeadline(tb testing.TB) context.Context {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 2*time.Second)
	tb.Cleanup(cancel)
	return ctx
}
