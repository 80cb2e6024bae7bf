package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"

	"github.com/evenkeel-grpc/evenkeel/internal/held"
)

// etcdCluster is an etcd of several members, each of which can be stopped and
// started again with the same addresses and data.
type etcdCluster struct {
	members []*etcdMember
	tls     *certificates // nil for a cluster in the clear
}

type etcdMember struct {
	cluster *etcdCluster
	name    string
	dir     string
	addr    string // host:port for clients
	peer    string // host:port for other members
	etcd    *embed.Etcd
}

// newEtcdCluster returns a cluster that has not been started.
func newEtcdCluster(tb testing.TB, members int) *etcdCluster {
	tb.Helper()
	c := &etcdCluster{}
	for i := range members {
		c.members = append(c.members, &etcdMember{
			cluster: c, name: fmt.Sprintf("m%d", i),
			dir: tb.TempDir(), addr: held.Addr(tb), peer: held.Addr(tb),
		})
	}
	tb.Cleanup(func() {
		c.stop()
		eventually(tb, "the goroutines of etcd are gone", func() bool { return !etcdRuns() })
	})
	return c
}

func startEtcdCluster(tb testing.TB, members int) *etcdCluster {
	tb.Helper()
	c := newEtcdCluster(tb, members)
	c.start(tb)
	return c
}

// start starts the members that do not run.
func (c *etcdCluster) start(tb testing.TB) {
	tb.Helper()
	for _, m := range c.members {
		if m.etcd == nil {
			m.launch(tb)
		}
	}
	for _, m := range c.members {
		m.ready(tb)
	}
}

func (c *etcdCluster) stop() {
	var wg sync.WaitGroup
	for _, m := range c.members {
		wg.Go(m.stop)
	}
	wg.Wait()
}

// etcdRuns tells whether a member has a goroutine left. Those for its peers take a
// while to end, and are not what tests look for when they look for leaks.
func etcdRuns() bool {
	stacks := make([]byte, 4<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	return bytes.Contains(stacks, []byte("soheilhy/cmux")) || bytes.Contains(stacks, []byte("rafthttp"))
}

func (c *etcdCluster) addrs() []string {
	var all []string
	for _, m := range c.members {
		all = append(all, m.addr)
	}
	return all
}

// hosts is what goes into a target.
func (c *etcdCluster) hosts() string { return strings.Join(c.addrs(), ",") }

func (c *etcdCluster) leader(tb testing.TB) *etcdMember {
	tb.Helper()
	var leader *etcdMember
	eventually(tb, "a leader", func() bool {
		for _, m := range c.members {
			if m.etcd != nil && m.etcd.Server.Leader() == m.etcd.Server.MemberID() {
				leader = m
			}
		}
		return leader != nil
	})
	return leader
}

// client returns a client of all members that is closed before they are stopped.
func (c *etcdCluster) client(tb testing.TB) *clientv3.Client {
	tb.Helper()
	cfg := clientv3.Config{Endpoints: c.addrs()}
	if c.tls != nil {
		cfg.TLS = c.tls.client(tb)
	}
	return openClient(tb, cfg)
}

// openClient returns a client that finds a server again soon.
func openClient(tb testing.TB, cfg clientv3.Config) *clientv3.Client {
	tb.Helper()
	cfg.Logger = zap.NewNop()
	cfg.DialTimeout = 10 * time.Second
	cfg.DialOptions = append(cfg.DialOptions, grpc.WithConnectParams(grpc.ConnectParams{
		Backoff:           backoff.Config{BaseDelay: 10 * time.Millisecond, Multiplier: 1.6, MaxDelay: 100 * time.Millisecond},
		MinConnectTimeout: time.Second,
	}))
	client, err := clientv3.New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = client.Close() })
	return client
}

func (m *etcdMember) start(tb testing.TB) {
	tb.Helper()
	m.launch(tb)
	m.ready(tb)
}

func (m *etcdMember) launch(tb testing.TB) {
	tb.Helper()
	e, err := embed.StartEtcd(m.config())
	if err != nil {
		tb.Fatalf("start etcd on %s: %v", m.addr, err)
	}
	m.etcd = e
}

func (m *etcdMember) config() *embed.Config {
	scheme := "http"
	cfg := embed.NewConfig()
	if t := m.cluster.tls; t != nil {
		scheme = "https"
		cfg.ClientTLSInfo.CertFile, cfg.ClientTLSInfo.KeyFile = t.serverCert, t.serverKey
		cfg.ClientTLSInfo.TrustedCAFile, cfg.ClientTLSInfo.ClientCertAuth = t.ca, true
	}
	cfg.Name, cfg.Dir = m.name, m.dir
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	cfg.ListenClientUrls = []url.URL{{Scheme: scheme, Host: m.addr}}
	cfg.AdvertiseClientUrls = cfg.ListenClientUrls
	cfg.ListenPeerUrls = []url.URL{{Scheme: "http", Host: m.peer}}
	cfg.AdvertisePeerUrls = cfg.ListenPeerUrls
	var initial []string
	for _, other := range m.cluster.members {
		initial = append(initial, other.name+"=http://"+other.peer)
	}
	cfg.InitialCluster = strings.Join(initial, ",")
	cfg.TickMs, cfg.ElectionMs = 10, 100 // leases of 1 s, leader within 0.1 s
	if len(m.cluster.members) > 1 {
		cfg.TickMs, cfg.ElectionMs = 50, 500 // a busy machine must not look like a dead leader
	}
	cfg.UnsafeNoFsync = true
	cfg.BcryptCost = 4   // the least
	cfg.AuthTokenTTL = 2 // seconds; what a login is good for if it is not used
	return cfg
}

func (m *etcdMember) ready(tb testing.TB) {
	tb.Helper()
	select {
	case <-m.etcd.Server.ReadyNotify():
	case <-time.After(30 * time.Second):
		tb.Fatalf("etcd on %s is not ready after 30 s", m.addr)
	}
}

// stop kills the member: it says goodbye to no other, and cuts off its clients.
func (m *etcdMember) stop() {
	if m.etcd != nil {
		m.etcd.Server.HardStop()
		m.etcd.Close()
		m.etcd = nil
	}
}

// compact makes etcd forget what happened before now.
func compact(tb testing.TB, c *clientv3.Client) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 10*time.Second)
	defer cancel()
	resp, err := c.Get(ctx, "nothing")
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := c.Compact(ctx, resp.Header.Revision); err != nil {
		tb.Fatal(err)
	}
}

// client returns how a client proves itself to the cluster.
func (c *certificates) client(tb testing.TB) *tls.Config {
	tb.Helper()
	pair, err := tls.LoadX509KeyPair(c.clientCert, c.clientKey)
	if err != nil {
		tb.Fatal(err)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: c.pool, Certificates: []tls.Certificate{pair}}
}
