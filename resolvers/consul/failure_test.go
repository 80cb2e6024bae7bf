package consul_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/consul/api"
	"google.golang.org/grpc/resolver"

	"github.com/evenkeel-grpc/evenkeel/resolvers/consul"
)

// script answers with the handlers in turn; the last one goes on for ever.
func script(handlers ...http.HandlerFunc) http.HandlerFunc {
	var n atomic.Int64
	return func(w http.ResponseWriter, r *http.Request) {
		i := int(n.Add(1)) - 1
		handlers[min(i, len(handlers)-1)](w, r)
	}
}

// good holds a query that has an index, and answers with one instance.
func good(w http.ResponseWriter, r *http.Request) {
	hold(r)
	answer(w, 7, instance("10.0.0.1:80"))
}

func status500(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "No cluster leader", http.StatusInternalServerError)
}

// expect compares what the channel was told since it was last asked.
func expect(t *testing.T, cc *recorder, want ...string) {
	t.Helper()
	if got := cc.take(); !slices.Equal(got, want) {
		t.Errorf("the channel was told %q, want %q", got, want)
	}
}

func TestFailureIsReportedOnceAndItsEndToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := startFake(t, script(good, good, status500, status500, status500, good))
		cc := f.build(t, "consul:///x?wait=10s")
		time.Sleep(5 * time.Second)
		expect(t, cc, "list 10.0.0.1:80")
		time.Sleep(20 * time.Second)
		expect(t, cc, `error consul: "x": Consul answers 500: No cluster leader`, "list 10.0.0.1:80")
		for i, r := range f.seen()[3:6] { // after an error there is no telling what was missed
			if index := r.params.Get("index"); index != "" {
				t.Errorf("query %d after an error has index %s, want none", i, index)
			}
		}
	})
}

func TestAnswersThatAreNone(t *testing.T) {
	for name, tt := range map[string]struct {
		handle http.HandlerFunc
		want   string
	}{
		"half a body": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte(`[{"Node":{"Node":"n1"`))
		}, "asking Consul: unexpected EOF"},
		"half a body, and then silence": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte(`[{"Node":{"Node":"n1"`))
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}, "asking Consul: no answer in time"},
		"silence":       {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "asking Consul: no answer in time"},
		"no JSON":       {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }, "asking Consul: invalid character '<' looking for beginning of value"},
		"no body":       {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }, "Consul answers 403: Forbidden"},
		"a wrong token": {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "ACL not found", http.StatusForbidden) }, "Consul answers 403: ACL not found"},
		"its own secret": {func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, "bad token "+r.Header.Get("X-Consul-Token"), http.StatusForbidden)
		}, "Consul answers 403: bad token xxxxx"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := startFake(t, tt.handle)
				cc := f.build(t, "consul:///x?token=hunter2")
				time.Sleep(time.Minute)
				expect(t, cc, `error consul: "x": `+tt.want)
				if n := len(f.seen()); n < 10 {
					t.Errorf("attempts in a minute = %d, want at least 10", n)
				}
			})
		})
	}
}

func TestUnreachableConsul(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cc := build(t, refusing(), "consul:///x")
		expect(t, cc, `error consul: "x": asking Consul: dial tcp 127.0.0.1:8500: connection refused`)
		time.Sleep(time.Minute)
		expect(t, cc) // the same error again is none
	})
}

// refusing returns a builder of which no client can connect.
func refusing() resolver.Builder {
	dial := func(_ context.Context, network, addr string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: network, Addr: tcpAddr(addr), Err: errors.New("connection refused")}
	}
	return consul.NewBuilder(consul.WithConfig(&api.Config{
		Address: "127.0.0.1:8500", Transport: &http.Transport{DialContext: dial},
	}))
}

// tcpAddr is host:port as a net.Addr.
type tcpAddr string

func (tcpAddr) Network() string  { return "tcp" }
func (a tcpAddr) String() string { return string(a) }

func TestRetryAfterIsRespected(t *testing.T) {
	for name, tt := range map[string]struct {
		code   int
		header string
		least  time.Duration // between two queries
		most   time.Duration
	}{
		"seconds":            {429, "7", 7 * time.Second, 9 * time.Second},
		"seconds with a 503": {503, "7", 7 * time.Second, 9 * time.Second},
		"a date":             {429, "Sat, 01 Jan 2000 00:00:05 GMT", 0, 45 * time.Second},
		"far too long":       {429, "86400", 30 * time.Second, 32 * time.Second},
		"none":               {429, "", time.Second, 40 * time.Second},
		"none, but a 500":    {500, "", 0, 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := startFake(t, func(w http.ResponseWriter, _ *http.Request) {
					if tt.header != "" {
						w.Header().Set("Retry-After", tt.header)
					}
					http.Error(w, "Your IP is issuing too many concurrent connections", tt.code)
				})
				cc := f.build(t, "consul:///x")
				time.Sleep(5 * time.Minute)
				expect(t, cc, fmt.Sprintf(`error consul: "x": Consul answers %d: Your IP is issuing too many concurrent connections`, tt.code))
				seen := f.seen()
				if len(seen) < 5 {
					t.Fatalf("queries in 5 minutes = %d, want more", len(seen))
				}
				for i := range seen[1:] {
					if d := seen[i+1].at.Sub(seen[i].at); d < tt.least || d > tt.most {
						t.Errorf("wait %d = %v, want %v to %v", i, d, tt.least, tt.most)
					}
				}
			})
		})
	}
}

// A server that was cut off from its leader must not bring back what is gone.
func TestStaleAnswersDoNotReplaceBetterOnes(t *testing.T) {
	stale := func(leader string, lag string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			answer(staleWriter{w, leader, lag}, 3, instance("10.0.0.9:80"))
		}
	}
	for name, tt := range map[string]struct {
		handle http.HandlerFunc
		want   []string
	}{
		"no leader": {stale("false", "15000"), []string{`error consul: "x": the Consul server that answers has no leader`, "list 10.0.0.1:80"}},
		"far behind": {stale("true", "15000"), []string{
			`error consul: "x": the Consul server that answers is more than 10s behind its leader`, "list 10.0.0.1:80",
		}},
		"a little behind": {stale("true", "500"), []string{"list 10.0.0.9:80", "list 10.0.0.1:80"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				next := script(good, tt.handle, good)
				f := startFake(t, func(w http.ResponseWriter, r *http.Request) {
					select { // A channel may miss one of two lists that come at once.
					case <-time.After(100 * time.Millisecond):
						next(w, r)
					case <-r.Context().Done():
					}
				})
				cc := f.build(t, "consul:///x?stale&wait=1s")
				time.Sleep(10 * time.Second)
				expect(t, cc, append([]string{"list 10.0.0.1:80"}, tt.want...)...)
			})
		})
	}
	t.Run("better than none", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := startFake(t, script(stale("false", "15000"), good))
			cc := f.build(t, "consul:///x?stale&wait=1s")
			expect(t, cc, "list 10.0.0.9:80")
		})
	})
}

// staleWriter overwrites what answer says of the server.
type staleWriter struct {
	http.ResponseWriter
	leader, lag string
}

func (w staleWriter) Write(p []byte) (int, error) {
	w.Header().Set("X-Consul-Knownleader", w.leader)
	w.Header().Set("X-Consul-Lastcontact", w.lag)
	return w.ResponseWriter.Write(p)
}

func TestEmptyAnswersSayWhy(t *testing.T) {
	for name, tt := range map[string]struct {
		target  string
		entries []*api.ServiceEntry
		acl     string // a header and its value
		want    string
	}{
		"an unknown service": {"consul:///x", nil, "", "Consul knows no instance of the service"},
		"unknown tags":       {"consul:///x?tag=b&tags=a,b&filter=y", nil, "", `Consul knows no instance of the service with the tags ["a" "b"] that the filter "y" accepts`},
		"a token that may not read": {
			"consul:///x?token=t", nil, "X-Consul-Results-Filtered-By-Acls: true",
			"Consul knows no instance of the service; Consul withholds what the ACL token may not read",
		},
		"no token": {
			"consul:///x", nil, "X-Consul-Default-Acl-Policy: deny",
			"Consul knows no instance of the service; Consul was asked without an ACL token, and denies by default",
		},
		"a token, where all is denied by default": {
			"consul:///x?token=t", nil, "X-Consul-Default-Acl-Policy: deny", "Consul knows no instance of the service",
		},
		"nothing healthy": {"consul:///x", []*api.ServiceEntry{
			instance("10.0.0.1:80", withStatus("critical")), instance("10.0.0.2:80", withStatus("warning")), instance("10.0.0.3:80", withStatus("critical")),
		}, "", "none of the instances is healthy enough (2 critical, 1 warning)"},
		"nothing well formed": {"consul:///x", []*api.ServiceEntry{instance("10.0.0.1:0"), nil}, "", "malformed instances skipped: 2"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := startFake(t, func(w http.ResponseWriter, r *http.Request) {
					hold(r)
					if name, value, ok := strings.Cut(tt.acl, ": "); ok {
						w.Header().Set(name, value)
					}
					answer(w, 7, tt.entries...)
				})
				cc := f.build(t, tt.target)
				expect(t, cc, `error consul: "x": no endpoints: `+tt.want)
			})
		})
	}
}

func TestCloseWithAPollInFlightIsImmediate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := startFake(t, good)
		b := f.builder()
		for range 100 {
			cc := build(t, b, "consul:///x?config-key=k")
			synctest.Wait()
			began := time.Now()
			cc.resolver.Close()
			if d := time.Since(began); d != 0 {
				t.Fatalf("Close took %v", d)
			}
			cc.resolver.ResolveNow(resolver.ResolveNowOptions{}) // harmless
		}
		synctest.Wait()
		if n := f.connections(); n != 0 {
			t.Errorf("connections after Close = %d, want none", n)
		}
	})
}

func TestConnectionIsReused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var conns atomic.Int64
		f := startFake(t, func(w http.ResponseWriter, r *http.Request) {
			hold(r)
			answer(w, 7, instance("10.0.0.1:80"))
		})
		f.build(t, "consul:///x?wait=10s")
		for range 20 {
			time.Sleep(10 * time.Second)
			conns.Store(max(conns.Load(), int64(f.connections())))
		}
		if n := len(f.seen()); n < 20 {
			t.Errorf("queries = %d, want at least 20", n)
		}
		if got := conns.Load(); got != 1 {
			t.Errorf("connections = %d, want 1", got)
		}
	})
}
