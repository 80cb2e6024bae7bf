package e2e

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// startScript runs a name server that does what the test says, over UDP and TCP.
func startScript(tb testing.TB, h dns.HandlerFunc) (addr string) {
	tb.Helper()
	var lc net.ListenConfig
	var pc net.PacketConn
	var lis net.Listener
	for range 100 { // until there is a port that is free for both
		var err error
		if lis, err = lc.Listen(tb.Context(), "tcp", "127.0.0.1:0"); err != nil {
			tb.Fatal(err)
		}
		addr = lis.Addr().String()
		if pc, err = lc.ListenPacket(tb.Context(), "udp", addr); err == nil {
			break
		}
		_ = lis.Close()
	}
	if pc == nil {
		tb.Fatal("no port found that is free for UDP and TCP")
	}
	for _, s := range []*dns.Server{{PacketConn: pc, Handler: h}, {Listener: lis, Handler: h}} {
		started, stopped := make(chan struct{}), make(chan struct{})
		s.NotifyStartedFunc = func() { close(started) }
		go func() {
			defer close(stopped)
			_ = s.ActivateAndServe()
		}()
		<-started
		tb.Cleanup(func() {
			_ = s.Shutdown()
			<-stopped
		})
	}
	return addr
}

// answer replies to m with records in the format of zone files; %s stands for
// the name that was asked for.
func answer(m *dns.Msg, records ...string) *dns.Msg {
	r := new(dns.Msg).SetReply(m)
	r.Authoritative = true
	for _, s := range records {
		rr, err := dns.NewRR(strings.ReplaceAll(s, "%s", m.Question[0].Name))
		if err == nil && (rr.Header().Rrtype == m.Question[0].Qtype || rr.Header().Rrtype == dns.TypeCNAME) {
			r.Answer = append(r.Answer, rr)
		}
	}
	return r
}

// Garbage that comes before the answer, as from somebody who guesses, changes
// nothing; with nothing but garbage RPCs fail and say so.
func TestDNSGarbage(t *testing.T) {
	b := startBackend(t)
	host, port, _ := strings.Cut(b.addr, ":")
	good := "%s 1 IN A " + host
	for _, tt := range []struct {
		name    string
		garbage func(w dns.ResponseWriter, m *dns.Msg)
	}{
		{"another id", func(w dns.ResponseWriter, m *dns.Msg) {
			r := answer(m, "%s 60 IN A 127.6.6.6")
			r.Id++
			_ = w.WriteMsg(r)
		}},
		{"another question", func(w dns.ResponseWriter, m *dns.Msg) {
			r := answer(m, "%s 60 IN A 127.6.6.6")
			r.Question[0].Name = "other.test."
			_ = w.WriteMsg(r)
		}},
		{"noise", func(w dns.ResponseWriter, _ *dns.Msg) { _, _ = w.Write([]byte(strings.Repeat("noise", 100))) }},
		{"64 KB", func(w dns.ResponseWriter, _ *dns.Msg) { _, _ = w.Write(make([]byte, 65000)) }},
	} {
		t.Run(tt.name+" before the answer", func(t *testing.T) {
			addr := startScript(t, func(w dns.ResponseWriter, m *dns.Msg) {
				tt.garbage(w, m)
				_ = w.WriteMsg(answer(m, good))
			})
			waitForBackends(t, dial(t, "dns://"+addr+"/payments.test:"+port), b)
		})
		t.Run(tt.name+" and nothing else", func(t *testing.T) {
			addr := startScript(t, tt.garbage)
			cc := dial(t, "dns://"+addr+"/payments.test:"+port)
			if _, err := call(rpcDeadline(t), cc); status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), addr) {
				t.Errorf("RPC = %v, want Unavailable and the name server", err)
			}
		})
	}
}

func TestDNSAnswersThatCannotBeUsedAreErrors(t *testing.T) {
	for _, tt := range []struct {
		name, want string
		records    []string
	}{
		{"a loop of aliases", "its aliases form a loop", []string{"payments.test. 1 IN CNAME a.test.", "a.test. 1 IN CNAME payments.test."}},
		{"an endless chain of aliases", "more than 16 aliases", []string{"%s 1 IN CNAME x%s"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			addr := startScript(t, func(w dns.ResponseWriter, m *dns.Msg) { _ = w.WriteMsg(answer(m, tt.records...)) })
			_, err := call(rpcDeadline(t), dial(t, "dns://"+addr+"/payments.test"))
			if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("RPC = %v, want Unavailable with %q", err, tt.want)
			}
		})
	}
}

// The last good list outlives any garbage.
func TestDNSGarbageAfterAGoodAnswerChangesNothing(t *testing.T) {
	var good func(w dns.ResponseWriter, m *dns.Msg)
	b := startBackend(t)
	host, port, _ := strings.Cut(b.addr, ":")
	good = func(w dns.ResponseWriter, m *dns.Msg) { _ = w.WriteMsg(answer(m, "%s 0 IN A "+host)) }
	until := time.Now().Add(time.Second)
	addr := startScript(t, func(w dns.ResponseWriter, m *dns.Msg) {
		if time.Now().Before(until) {
			good(w, m)
			return
		}
		r := answer(m, "%s 0 IN A 127.6.6.6")
		r.Truncated = true // and over TCP again
		_ = w.WriteMsg(r)
	})
	target := "dns://" + addr + "/payments.test:" + port + "?min=100ms"
	v := build(t, target)
	cc := dial(t, target)
	waitForBackends(t, cc, b)
	eventually(t, "the news that answers are bad", func() bool {
		calls := v.calls()
		return len(calls) > 0 && strings.Contains(calls[len(calls)-1], "truncated")
	})
	for range 10 {
		mustCall(t, cc)
	}
	if got := b.accepted.Load(); got != 1 {
		t.Errorf("connections = %d, want 1", got)
	}
}

// Answers without a TTL are good for the least time, and cost no more than that.
func TestDNSAnswersWithoutTTL(t *testing.T) {
	asked := make(chan time.Time, 1000)
	addr := startScript(t, func(w dns.ResponseWriter, m *dns.Msg) {
		if m.Question[0].Qtype == dns.TypeA {
			asked <- time.Now()
		}
		_ = w.WriteMsg(answer(m, "%s 0 IN A 10.0.0.1", "%s 0 IN AAAA 2001:db8::1"))
	})
	build(t, "dns://"+addr+"/payments.test?min=300ms")
	last := <-asked
	for i := range 5 {
		at := <-asked
		if gap := at.Sub(last); gap < 250*time.Millisecond {
			t.Errorf("look-up %d came %v after the one before, want 300 ms less a tenth", i+2, gap)
		}
		last = at
	}
}

// A server that never completes a message must not hold up more than its
// question.
func TestDNSServerThatHangsInTCP(t *testing.T) {
	b := startBackend(t)
	host, port, _ := strings.Cut(b.addr, ":")
	hangs := startScript(t, func(w dns.ResponseWriter, m *dns.Msg) {
		if w.RemoteAddr().Network() == "udp" {
			r := answer(m)
			r.Truncated = true
			_ = w.WriteMsg(r)
		}
	})
	works := startScript(t, func(w dns.ResponseWriter, m *dns.Msg) { _ = w.WriteMsg(answer(m, "%s 1 IN A "+host)) })
	cc := dial(t, fmt.Sprintf("dns://%s,%s/payments.test:%s", hangs, works, port))
	waitForBackends(t, cc, b)
}
