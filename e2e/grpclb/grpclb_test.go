package grpclb

import (
	"fmt"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
	_ "google.golang.org/grpc/balancer/grpclb"
	grpclbstate "google.golang.org/grpc/balancer/grpclb/state"
	"google.golang.org/grpc/resolver"

	_ "github.com/evenkeel-grpc/evenkeel/resolvers/dns"
)

// startServer runs a name server with the given records.
func startServer(t *testing.T, records ...string) (addr string) {
	t.Helper()
	return startFailing(t, new(atomic.Bool), records...)
}

// startFailing is startServer, but what is about a.test itself fails while fail
// is set.
func startFailing(t *testing.T, fail *atomic.Bool, records ...string) (addr string) {
	t.Helper()
	var lc net.ListenConfig
	pc, err := lc.ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	started, stopped := make(chan struct{}), make(chan struct{})
	s := &dns.Server{PacketConn: pc, NotifyStartedFunc: func() { close(started) }}
	s.Handler = dns.HandlerFunc(func(w dns.ResponseWriter, m *dns.Msg) {
		r := new(dns.Msg).SetReply(m)
		r.Authoritative = true
		if fail.Load() && m.Question[0].Name == "a.test." {
			r.Rcode = dns.RcodeServerFailure
		}
		for _, text := range records {
			rr, err := dns.NewRR(text)
			if err == nil && r.Rcode == dns.RcodeSuccess && rr.Header().Name == m.Question[0].Name && rr.Header().Rrtype == m.Question[0].Qtype {
				r.Answer = append(r.Answer, rr)
			}
		}
		_ = w.WriteMsg(r)
	})
	go func() {
		defer close(stopped)
		_ = s.ActivateAndServe()
	}()
	<-started
	t.Cleanup(func() {
		_ = s.Shutdown()
		<-stopped
	})
	return pc.LocalAddr().String()
}

// states notes what the resolver publishes.
type states struct {
	resolver.ClientConn // panics on anything else

	mu   sync.Mutex // guards the field below
	seen []resolver.State
}

func (s *states) UpdateState(state resolver.State) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, state)
	return nil
}

func (*states) ReportError(error) {}

// first waits for the first state and returns it.
func (s *states) first(t *testing.T) resolver.State {
	t.Helper()
	for began := time.Now(); time.Since(began) < 10*time.Second; time.Sleep(time.Millisecond) {
		s.mu.Lock()
		seen := s.seen
		s.mu.Unlock()
		if len(seen) > 0 {
			return seen[0]
		}
	}
	t.Fatal("no state within 10 s")
	return resolver.State{}
}

func build(t *testing.T, target string) *states {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	cc := &states{}
	r, err := resolver.Get("dns").Build(resolver.Target{URL: *u}, cc, resolver.BuildOptions{DisableServiceConfig: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return cc
}

func TestBalancersReachThePolicy(t *testing.T) {
	balancers := []string{
		"_grpclb._tcp.a.test. 1 IN SRV 1 0 81 lb.test.", "_grpclb._tcp.a.test. 1 IN SRV 1 0 82 gone.test.",
		"lb.test. 1 IN A 10.0.0.9", "lb.test. 1 IN AAAA 2001:db8::9",
	}
	for name, records := range map[string][]string{
		"beside addresses":   append(balancers, "a.test. 1 IN A 10.0.0.1"),
		"without any others": balancers,
	} {
		t.Run(name, func(t *testing.T) {
			cc := build(t, "dns://"+startServer(t, records...)+"/a.test?min=100ms&max=100ms")
			state := cc.first(t)
			lb := grpclbstate.Get(state)
			if lb == nil {
				t.Fatalf("the state %+v has no balancers", state)
			}
			var got []string
			for _, a := range lb.BalancerAddresses {
				got = append(got, a.Addr+" "+a.ServerName)
			}
			if want := "[10.0.0.9:81 lb.test [2001:db8::9]:81 lb.test]"; fmt.Sprint(got) != want {
				t.Errorf("balancers = %v, want %v", got, want)
			}
			if got, want := len(state.Endpoints), len(records)-len(balancers); got != want {
				t.Errorf("endpoints = %d, want %d", got, want)
			}
			<-time.After(500 * time.Millisecond) // several look-ups
			cc.mu.Lock()
			defer cc.mu.Unlock()
			if len(cc.seen) != 1 {
				t.Errorf("identical answers were published: %d states", len(cc.seen))
			}
		})
	}
}

// The addresses are what the policy falls back to: they stay while they cannot be
// looked up.
func TestAddressesStayBesideBalancers(t *testing.T) {
	var fail atomic.Bool
	records := []string{"_grpclb._tcp.a.test. 1 IN SRV 1 0 81 lb.test.", "lb.test. 1 IN A 10.0.0.9", "a.test. 1 IN A 10.0.0.1"}
	cc := build(t, "dns://"+startFailing(t, &fail, records...)+"/a.test?min=100ms&max=100ms")
	cc.first(t)
	fail.Store(true)
	<-time.After(500 * time.Millisecond) // several look-ups
	cc.mu.Lock()
	defer cc.mu.Unlock()
	last := cc.seen[len(cc.seen)-1]
	if len(last.Endpoints) != 1 || grpclbstate.Get(last) == nil {
		t.Errorf("state while the addresses cannot be looked up = %+v, want one endpoint and the balancers", last)
	}
}

func TestWithoutBalancersNothingChanges(t *testing.T) {
	state := build(t, "dns://"+startServer(t, "a.test. 1 IN A 10.0.0.1")+"/a.test").first(t)
	if len(state.Endpoints) != 1 || state.Attributes != nil {
		t.Errorf("state = %+v, want one endpoint and no attributes", state)
	}
}
