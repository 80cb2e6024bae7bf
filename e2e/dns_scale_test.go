package e2e

import (
	"testing"
	"time"

	"google.golang.org/grpc"
	grpcdns "google.golang.org/grpc/resolver/dns"
)

// With a TTL of 2 s new backends have RPCs after 3 s at most, and those that are
// gone have none from then on. grpc-go's own resolver, beside it, notices nothing.
func TestDNSScaleUnderTraffic(t *testing.T) {
	const ttl, within = 2, 3 * time.Second
	f := startFleet(t, 5)
	s := startCoreDNS(t, f.records("payments", ttl, 0)...)
	target := s.target("payments.test:" + f.port)
	cc := dial(t, target+"?min=1s")
	builtin := grpcdns.NewBuilder() //nolint:staticcheck // the way to grpc-go's own while ours has its name
	old := dial(t, target, grpc.WithResolvers(builtin))
	waitForBackends(t, cc, f.backends[0])
	waitForBackends(t, old, f.backends[0])
	tr, oldTraffic := startTraffic(t, cc), startTraffic(t, old)

	began := time.Now()
	s.change(t, f.records("payments", ttl, 0, 1, 2, 3, 4)...)
	<-time.After(time.Until(began.Add(within + time.Second)))
	for i, b := range f.backends[1:] {
		first, _ := tr.seen(b)
		if first.IsZero() || first.Sub(began) > within {
			t.Errorf("new backend %d: first RPC %v after the change, want at most %v", i+1, first.Sub(began), within)
		} else {
			t.Logf("new backend %d: first RPC after %v", i+1, first.Sub(began).Round(time.Millisecond))
		}
		if first, _ := oldTraffic.seen(b); !first.IsZero() {
			t.Errorf("grpc-go's resolver has found new backend %d: what docs/dns.md says of it is out of date", i+1)
		}
	}

	began = time.Now()
	s.change(t, f.records("payments", ttl, 0, 1)...)
	<-time.After(time.Until(began.Add(within + time.Second)))
	for i, b := range f.backends[2:] {
		if _, last := tr.seen(b); last.Sub(began) > within {
			t.Errorf("removed backend %d: last RPC %v after the change, want at most %v", i+2, last.Sub(began), within)
		} else {
			t.Logf("removed backend %d: last RPC after %v", i+2, last.Sub(began).Round(time.Millisecond))
		}
	}
	for i, b := range f.backends[:2] {
		if _, last := tr.seen(b); time.Since(last) > 2*time.Second {
			t.Errorf("backend %d, which stays, has had no RPC for %v", i, time.Since(last))
		}
	}
	tr.end()
	oldTraffic.end()
	tr.check(t)
}
