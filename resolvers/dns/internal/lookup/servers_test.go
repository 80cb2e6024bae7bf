package lookup_test

import (
	"context"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/evenkeel-grpc/evenkeel/resolvers/dns/internal/lookup"
)

func open(t *testing.T, n *fakeNet, sv lookup.Servers) *lookup.Session {
	t.Helper()
	s := (&lookup.Cache{Exchange: n.exchange}).Open(sv)
	t.Cleanup(s.Close)
	return s
}

func TestNextServerIsAskedWhenOneFails(t *testing.T) {
	for name, bad := range map[string]handler{
		"cannot be reached": fails("network unreachable"),
		"is silent":         silent,
		"answers SERVFAIL":  refuses(t, dns.RcodeServerFailure),
		"answers REFUSED":   refuses(t, dns.RcodeRefused),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := &fakeNet{handlers: map[string]handler{"bad:53": bad, "good:53": says(t, "a.test. 60 IN A 10.0.0.1")}}
				s := open(t, n, servers("bad:53", "good:53"))
				began := time.Now()
				if r := s.Ask(t.Context(), question, never); r.Err != nil || len(r.Addrs) != 1 {
					t.Errorf("Ask = %v, %v, want one address", r.Addrs, r.Err)
				}
				if d := time.Since(began); d > time.Second {
					t.Errorf("the answer came after %v, want 1 s at most", d)
				}
				n.take()
				s.Ask(t.Context(), question, never)
				if got := n.take(); !slices.Equal(got, []string{"good:53"}) {
					t.Errorf("the next look-up asked %q, want the server that works", got)
				}
			})
		})
	}
}

func TestDenialIsFinal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &fakeNet{handlers: map[string]handler{
			"a:53": refuses(t, dns.RcodeNameError),
			"b:53": says(t, "a.test. 60 IN A 10.0.0.1"),
		}}
		r := open(t, n, servers("a:53", "b:53")).Ask(t.Context(), question, never)
		if !r.NXDomain || r.Missing != "a:53 answered NXDOMAIN" || r.Err != nil {
			t.Errorf("Ask = %+v, want NXDOMAIN", r)
		}
	})
}

func TestEveryServerIsNamedInTheError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := &net.OpError{Op: "read", Net: "udp", Source: &net.UDPAddr{Port: 40001}, Err: os.NewSyscallError("read", syscall.ECONNREFUSED)}
		n := &fakeNet{handlers: map[string]handler{
			"a:53": silent,
			"b:53": refuses(t, dns.RcodeServerFailure),
			"c:53": func(context.Context, lookup.Question) (*dns.Msg, error) { return nil, refused },
		}}
		s := open(t, n, servers("a:53", "b:53", "c:53"))
		const want = "A record: a:53: no answer in time; b:53: answered SERVFAIL; c:53: connection refused"
		for range 3 {
			if r := s.Ask(t.Context(), question, never); r.Err == nil || r.Err.Error() != want {
				t.Errorf("Ask = %v, want %s", r.Err, want)
			}
		}
	})
}

func TestTriesAndTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &fakeNet{handlers: map[string]handler{"a:53": silent, "b:53": silent}}
		sv := servers("a:53", "b:53")
		sv.Attempts = 3
		s := open(t, n, sv)
		began := time.Now()
		s.Ask(t.Context(), question, never)
		var got []float64
		for _, at := range n.times {
			got = append(got, at.Sub(began).Seconds())
		}
		if want := []float64{0, 1, 2, 7, 12, 17}; !slices.Equal(got, want) {
			t.Errorf("tries began after %v s, want %v", got, want)
		}
	})
}

func TestLimitEndsTheLookUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &fakeNet{handlers: map[string]handler{"a:53": silent}}
		sv := servers("a:53")
		sv.Limit = 3 * time.Second
		s := open(t, n, sv)
		began := time.Now()
		r := s.Ask(t.Context(), question, never)
		if d := time.Since(began); d != 3*time.Second || r.Err == nil {
			t.Errorf("Ask = %v after %v, want an error after 3 s", r.Err, d)
		}
	})
}

func TestRotateBeginsWithAnyServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ok := says(t, "a.test. 60 IN A 10.0.0.1")
		n := &fakeNet{handlers: map[string]handler{"a:53": ok, "b:53": ok}}
		sv := servers("a:53", "b:53")
		sv.Rotate = true
		s := open(t, n, sv)
		for range 100 {
			s.Ask(t.Context(), question, never)
		}
		asked := strings.Join(n.take(), " ")
		if a := strings.Count(asked, "a:53"); a < 20 || a > 80 {
			t.Errorf("of 100 look-ups %d went to the first of two servers", a)
		}
	})
}
