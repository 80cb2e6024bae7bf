package naming_test

import (
	"net"
	"testing"

	"github.com/evenkeel-grpc/evenkeel/balancers/v1adapter/naming"
)

// FuzzResolve resolves what may be a target: an IP address results in one
// address that can be dialed.
func FuzzResolve(f *testing.F) {
	for _, s := range []string{"", ":", ":80", "host", "host:80", "host:", "10.0.0.1:80", "::1", "[::1]:80", "[::1%eth0]", "a:b:c", "[", "]:"} {
		f.Add(s)
	}
	r, err := naming.NewDNSResolver()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, target string) {
		w, err := r.Resolve(target)
		if err != nil {
			return
		}
		defer w.Close()
		host, _, err := net.SplitHostPort(target)
		if err != nil {
			host = target
		}
		if net.ParseIP(host) == nil {
			return // It would be looked up.
		}
		updates, err := w.Next()
		if err != nil || len(updates) != 1 {
			t.Fatalf("Next for %q = %v, %v, want one update", target, updates, err)
		}
		if got, _, err := net.SplitHostPort(updates[0].Addr); err != nil || got != host {
			t.Errorf("address for %q = %q, want host %q", target, updates[0].Addr, host)
		}
	})
}
