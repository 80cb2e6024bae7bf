package e2e

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/status"

	"github.com/evenkeel-grpc/evenkeel/internal/held"
	"github.com/evenkeel-grpc/evenkeel/resolvers/etcd"
)

func TestEtcdDownAtStart(t *testing.T) {
	s := newEtcd(t)
	a := startBackend(t)
	cc := dial(t, "etcd://"+s.addr+"/x")

	began := time.Now()
	_, err := call(rpcDeadline(t), cc)
	took := time.Since(began)
	t.Logf("the RPC failed after %v: %v", took, err)
	if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("RPC while etcd is down = %v, want Unavailable with the cause", err)
	}
	if took > time.Second {
		t.Errorf("the RPC took %v to fail", took)
	}

	s.start(t)
	put(t, s.client(t), "x/1", a.addr)
	waitForBackends(t, cc, a)
}

// An RPC that waits gets all of its time, and then the cause.
func TestEtcdDownAtStartAndAnRPCThatWaits(t *testing.T) {
	s := startEtcd(t)
	silent := startProxies(t, s.addr)
	silent.blackHole(t)
	for _, tt := range []struct{ name, addr, want string }{
		{"refusing", held.Refusing(t), "connection refused"},
		{"silent", silent.hosts(), "no answer yet"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			const deadline = 200 * time.Millisecond
			cc := dial(t, "etcd://"+tt.addr+"/x")
			ctx, cancel := context.WithTimeout(t.Context(), deadline)
			defer cancel()
			began := time.Now()
			_, err := call(ctx, cc, grpc.WaitForReady(true))
			took := time.Since(began)
			t.Logf("the RPC failed after %v: %v", took, err)
			if status.Code(err) != codes.DeadlineExceeded {
				t.Errorf("RPC that waits while etcd is down = %v, want DeadlineExceeded", err)
			}
			if took < deadline-20*time.Millisecond {
				t.Errorf("the RPC took %v, want %v", took, deadline)
			}
			if *full && (took > deadline+20*time.Millisecond || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("the RPC ended after %v with %v, want %v and %q", took, err, deadline, tt.want)
			}
		})
	}
}

// Build is on the path of RPCs.
func TestEtcdDownAtStartDoesNotHoldUpBuild(t *testing.T) {
	target := resolver.Target{URL: url.URL{Scheme: "etcd", Host: held.Refusing(t), Path: "/x"}}
	var took []time.Duration
	for range 100 {
		began := time.Now()
		r, err := resolver.Get("etcd").Build(target, &view{}, resolver.BuildOptions{})
		took = append(took, time.Since(began))
		if err != nil {
			t.Fatal(err)
		}
		r.Close()
	}
	slices.Sort(took)
	t.Logf("Build took %v, at worst %v", took[50], took[99])
	if took[50] > time.Millisecond {
		t.Errorf("Build took %v, want less than 1 ms", took[50])
	}
}

func TestEtcdRestartKeepsTheListAndFollowsOn(t *testing.T) {
	s := startEtcd(t)
	c := s.client(t)
	a, b := startBackend(t), startBackend(t)
	put(t, c, "x/1", a.addr)
	own := dial(t, "etcd://"+s.addr+"/x")
	shared := dial(t, "etcd:///x", grpc.WithResolvers(etcd.NewBuilder(etcd.WithClient(s.client(t)))))
	waitForBackends(t, own, a)
	waitForBackends(t, shared, a)

	for range 2 {
		s.stop()
		for began := time.Now(); time.Since(began) < 300*time.Millisecond; {
			mustCall(t, own)
			mustCall(t, shared)
		}
		s.start(t)
		put(t, c, "x/2", b.addr)
		waitForBackends(t, own, a, b)
		waitForBackends(t, shared, a, b)
		remove(t, c, "x/2")
		waitForBackends(t, own, a)
		waitForBackends(t, shared, a)
	}
	if got := a.accepted.Load(); got != 2 {
		t.Errorf("connections of 2 channels to a backend that was always there = %d, want 2", got)
	}
}

// Nobody may find out only from a missing backend that etcd is gone.
func TestEtcdOutageIsReportedAndItsEndToo(t *testing.T) {
	s := startEtcd(t)
	put(t, s.client(t), "x/1", "10.0.0.1:9000")
	seen := build(t, "etcd://"+s.addr+"/x")
	eventually(t, "a list", func() bool { return len(seen.calls()) > 0 })
	s.stop()
	eventually(t, "an error with the cause", func() bool {
		return slices.ContainsFunc(seen.calls(), func(call string) bool {
			return strings.HasPrefix(call, `error etcd: "x/": connecting to etcd: `) && strings.Contains(call, "connection refused")
		})
	})
	if calls := seen.calls(); calls[0] != "list 10.0.0.1:9000" || slices.Contains(calls, "list ") {
		t.Errorf("the channel was told %q, want one list and errors", calls)
	}
	s.start(t)
	eventually(t, "the list again", func() bool {
		calls := seen.calls()
		return calls[len(calls)-1] == "list 10.0.0.1:9000"
	})
}
