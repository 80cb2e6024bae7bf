package naming_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/evenkeel-grpc/evenkeel/balancers/v1adapter/naming"
)

const (
	fast = 10 * time.Millisecond
	host = "svc.test"
	fqdn = "svc.test."
)

// watch resolves a target and polls it every freq.
func watch(t *testing.T, target string, freq time.Duration) naming.Watcher {
	t.Helper()
	r, err := naming.NewDNSResolverWithFreq(freq)
	if err != nil {
		t.Fatal(err)
	}
	w, err := r.Resolve(target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close) // Also where the test has closed it.
	return w
}

// next returns what Next does, in words.
func next(t *testing.T, w naming.Watcher) []string {
	t.Helper()
	updates, err := w.Next()
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	for _, u := range updates {
		word := map[naming.Operation]string{naming.Add: "+", naming.Delete: "-"}[u.Op] + u.Addr
		if u.Metadata != nil {
			word += fmt.Sprintf(" %+v", u.Metadata)
		}
		words = append(words, word)
	}
	return words
}

func wantNext(t *testing.T, w naming.Watcher, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, next(t, w)); diff != "" {
		t.Errorf("Next (-want +got):\n%s", diff)
	}
}

// naming: an IP target is resolved once, without DNS; then Next waits for Close.
func TestIPTargets(t *testing.T) {
	for target, want := range map[string]string{
		"10.0.0.1": "10.0.0.1:443", "10.0.0.1:80": "10.0.0.1:80", "10.0.0.1:": "10.0.0.1:443",
		"::1": "[::1]:443", "[::1]": "[::1]:443", "[::1]:80": "[::1]:80", "[::1]:": "[::1]:443",
	} {
		t.Run(target, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := watch(t, target, fast)
				wantNext(t, w, "+"+want)
				ended := make(chan error)
				go func() {
					_, err := w.Next()
					ended <- err
				}()
				synctest.Wait()
				select {
				case err := <-ended:
					t.Fatalf("the second Next = %v, want it to wait", err)
				default:
				}
				w.Close()
				w.Close()
				if err := <-ended; err == nil || err.Error() != "watcher has been closed" {
					t.Errorf("Next after Close = %v, want v1's error", err)
				}
			})
		})
	}
}

// naming: the default port is 443, the default host localhost.
func TestHostTargets(t *testing.T) {
	z := serve(t)
	z.set(fqdn, "10.0.0.1")
	for target, want := range map[string]string{
		host: "10.0.0.1:443", host + ":": "10.0.0.1:443", host + ":80": "10.0.0.1:80", "[" + host + "]:80": "10.0.0.1:80",
	} {
		t.Run(target, func(t *testing.T) { wantNext(t, watch(t, target, fast), "+"+want) })
	}
	for target, port := range map[string]string{":": ":443", ":80": ":80"} {
		t.Run(target, func(t *testing.T) {
			for _, got := range next(t, watch(t, target, fast)) {
				if got != "+127.0.0.1"+port && got != "+[::1]"+port {
					t.Errorf("Next = %q, want localhost with port %s", got, port)
				}
			}
		})
	}
}

// naming: what cannot be a target or an interval is refused.
func TestRefused(t *testing.T) {
	r, err := naming.NewDNSResolver()
	if err != nil {
		t.Fatal(err)
	}
	for target, want := range map[string]string{
		"":         "naming: target is empty, want host, host:port or an IP address",
		"a:b:c":    `naming: invalid target "a:b:c": `,
		"[2001::1": `naming: invalid target "[2001::1": `,
	} {
		if _, err := r.Resolve(target); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("Resolve(%q) = %v, want %s", target, err, want)
		}
	}
	for _, freq := range []time.Duration{0, -time.Second} {
		if _, err := naming.NewDNSResolverWithFreq(freq); err == nil {
			t.Errorf("NewDNSResolverWithFreq(%v) = nil, want an error", freq)
		}
	}
}

// naming: the first Next has all addresses, later ones the changes only.
func TestDeltas(t *testing.T) {
	z := serve(t)
	z.set(fqdn, "10.0.0.2", "10.0.0.1")
	w := watch(t, host, fast)
	wantNext(t, w, "+10.0.0.1:443", "+10.0.0.2:443")
	z.set(fqdn, "10.0.0.2", "10.0.0.3")
	wantNext(t, w, "-10.0.0.1:443", "+10.0.0.3:443")
	z.set(fqdn) // NXDOMAIN
	wantNext(t, w, "-10.0.0.2:443", "-10.0.0.3:443")
	z.set(fqdn, "10.0.0.2")
	wantNext(t, w, "+10.0.0.2:443")
}

// naming: a host whose lookup fails keeps its addresses. v1 deleted them.
func TestFailedLookupKeepsAddresses(t *testing.T) {
	z := serve(t)
	z.set(fqdn, "10.0.0.1")
	w := watch(t, host, fast)
	wantNext(t, w, "+10.0.0.1:443")
	z.fail(dnsmessage.RCodeServerFailure)
	z.set(fqdn, "10.0.0.1", "10.0.0.2")
	before := z.asked(fqdn)
	got := make(chan []string)
	go func() { got <- next(t, w) }()
	for z.asked(fqdn) < before+3 { // Some lookups fail.
		runtime.Gosched()
	}
	z.fail(0)
	if diff := cmp.Diff([]string{"+10.0.0.2:443"}, <-got); diff != "" {
		t.Errorf("Next (-want +got):\n%s", diff)
	}
}

// naming: SRV records for grpclb come before addresses, marked as v1 did.
func TestLoadBalancers(t *testing.T) {
	z := serve(t)
	z.set(fqdn, "10.0.0.1")
	z.set("lb.test.", "10.0.1.1", "10.0.1.2")
	z.setSRV("_grpclb._tcp."+fqdn,
		dnsmessage.SRVResource{Port: 8443, Target: dnsmessage.MustNewName("lb.test.")},
		dnsmessage.SRVResource{Port: 1, Target: dnsmessage.MustNewName("nobody.test.")})
	const lb = " {AddrType:1 ServerName:lb.test.}"
	wantNext(t, watch(t, host, fast), "+10.0.1.1:8443"+lb, "+10.0.1.2:8443"+lb)
}

// naming: DNS is asked every freq, and not in between.
func TestPolling(t *testing.T) {
	z := serve(t)
	z.set(fqdn, "10.0.0.1")
	w := watch(t, host, time.Hour)
	wantNext(t, w, "+10.0.0.1:443")
	asked := z.asked(fqdn)
	ended := make(chan error)
	go func() {
		_, err := w.Next()
		ended <- err
	}()
	z.set(fqdn, "10.0.0.2")
	w.Close()
	if err := <-ended; err == nil || err.Error() != "watcher has been closed" {
		t.Errorf("Next after Close = %v, want v1's error", err)
	}
	if got := z.asked(fqdn); got != asked {
		t.Errorf("queries within the interval = %d, want 0", got-asked)
	}
}
