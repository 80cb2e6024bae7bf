package etcd_test

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/status"

	"github.com/evenkeel-grpc/evenkeel/internal/held"
	"github.com/evenkeel-grpc/evenkeel/registry"
	"github.com/evenkeel-grpc/evenkeel/resolvers/etcd"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestImportRegistersTheScheme(t *testing.T) {
	if b := resolver.Get(etcd.Scheme); b == nil || b.Scheme() != "etcd" {
		t.Errorf("resolver.Get(%q) = %v, want a builder for it", etcd.Scheme, b)
	}
}

func target(t *testing.T, s string) resolver.Target {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return resolver.Target{URL: *u}
}

func TestBuildAndCheckTargetReject(t *testing.T) {
	client := clientv3.NewCtxClient(t.Context())
	defer func() { _ = client.Close() }()
	none, one := etcd.NewBuilder(), etcd.NewBuilder(etcd.WithClient(client))
	for _, tt := range []struct {
		name    string
		builder resolver.Builder
		target  string
		want    string
	}{
		{"a malformed target", none, "etcd://h:2379/", `etcd: target "etcd://h:2379/": no key prefix`},
		{"no host and no client", none, "etcd:///x", `etcd: target "etcd:///x": no host and no client (want etcd://host:port/prefix, a builder from NewBuilder with WithClient, or the parameter client)`},
		{"a nil client", etcd.NewBuilder(etcd.WithClient(nil)), "etcd:///x", "no host and no client"},
		{"two clients", one, "etcd:///x?client=main", "hosts or the parameter client in the target, and a client from WithClient"},
		{"a client of nobody", none, "etcd:///x?client=main", `no client "main" (registered through RegisterClient: none)`},
		{"a host and a client", one, "etcd://h:2379/x", "hosts or the parameter client in the target, and a client from WithClient"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := tt.builder.Build(target(t, tt.target), nil, resolver.BuildOptions{})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("Build(%s) = %v, want %s", tt.target, err, tt.want)
			}
			checker, ok := tt.builder.(registry.TargetChecker)
			if !ok {
				t.Fatalf("%T does not check targets", tt.builder)
			}
			shown, _, _ := strings.Cut(tt.target, "?") // parameters are not
			want := strings.Replace(err.Error(), fmt.Sprintf("target %q: ", shown), "", 1)
			if checked := checker.CheckTarget(target(t, tt.target)); checked == nil || checked.Error() != want {
				t.Errorf("CheckTarget(%s) = %v, want %s", tt.target, checked, want)
			}
		})
	}
}

// silentAddr returns an address of this host where connections are accepted and
// then nothing happens.
func silentAddr(t *testing.T) (addr string, stop func()) {
	t.Helper()
	var lc net.ListenConfig
	lis, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return lis.Addr().String(), func() { _ = lis.Close() }
}

func dial(t *testing.T, target string, opts ...grpc.DialOption) healthpb.HealthClient {
	t.Helper()
	cc, err := grpc.NewClient(target, append(opts, grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cc.Close() })
	return healthpb.NewHealthClient(cc)
}

func TestRPCFailsWithTheCauseWhileEtcdIsDown(t *testing.T) {
	addr := held.Refusing(t)
	for _, policy := range []string{"round_robin", "pick_first"} {
		t.Run(policy, func(t *testing.T) {
			client := dial(t, "etcd://"+addr+"/services/payments",
				grpc.WithDefaultServiceConfig(`{"loadBalancingConfig":[{"`+policy+`":{}}]}`))
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			began := time.Now()
			_, err := client.Check(ctx, &healthpb.HealthCheckRequest{})
			if d := time.Since(began); d > time.Second {
				t.Errorf("the RPC took %v", d)
			}
			if status.Code(err) != codes.Unavailable {
				t.Errorf("the RPC ended with %v, want Unavailable", err)
			}
			for _, want := range []string{`etcd: "services/payments/": connecting to etcd`, addr, "connection refused"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the RPC ended with %v, want %q in it", err, want)
				}
			}
		})
	}
}

// A host that swallows everything must not make RPCs hang either, nor leave those
// that wait without a cause.
func TestRPCFailsWhileEtcdIsSilent(t *testing.T) {
	for _, tt := range []struct {
		name string
		wait bool
		want codes.Code
	}{{"fail-fast", false, codes.Unavailable}, {"wait-for-ready", true, codes.DeadlineExceeded}} {
		t.Run(tt.name, func(t *testing.T) {
			addr, stop := silentAddr(t)
			defer stop()
			client := dial(t, "etcd://"+addr+"/x")
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			began := time.Now()
			_, err := client.Check(ctx, &healthpb.HealthCheckRequest{}, grpc.WaitForReady(tt.wait))
			t.Logf("after %v: %v", time.Since(began), err)
			if status.Code(err) != tt.want || !strings.Contains(err.Error(), `etcd: "x/": connecting to etcd: no answer`) {
				t.Errorf("the RPC ended with %v, want %v and the cause", err, tt.want)
			}
		})
	}
}

func TestBuildIsFastAndCloseLeavesNothing(t *testing.T) {
	b := etcd.NewBuilder()
	tgt := target(t, "etcd://"+held.Refusing(t)+"/x")
	var slowest time.Duration
	for range 20 {
		began := time.Now()
		r, err := b.Build(tgt, quietChannel{}, resolver.BuildOptions{})
		slowest = max(slowest, time.Since(began))
		if err != nil {
			t.Fatal(err)
		}
		r.Close()
	}
	t.Logf("slowest Build: %v", slowest)
	goleak.VerifyNone(t)
}

// quietChannel is a channel that nobody looks at.
type quietChannel struct{ resolver.ClientConn }

func (quietChannel) UpdateState(resolver.State) error { return nil }
func (quietChannel) ReportError(error)                {}
