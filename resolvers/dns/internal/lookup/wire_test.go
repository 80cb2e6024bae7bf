package lookup_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/evenkeel-grpc/evenkeel/internal/held"
	"github.com/evenkeel-grpc/evenkeel/resolvers/dns/internal/lookup"
)

// wireServer is a real server on the loopback interface.
type wireServer struct {
	addr     string
	udp, tcp atomic.Int64 // questions
}

// serve answers with h over UDP and TCP. h may write any number of messages.
func serve(t *testing.T, h dns.HandlerFunc) *wireServer {
	t.Helper()
	s := &wireServer{}
	pc, lis := listenBoth(t)
	s.addr = lis.Addr().String()
	run(t, &dns.Server{PacketConn: pc, Handler: counted(&s.udp, h)})
	run(t, &dns.Server{Listener: lis, Handler: counted(&s.tcp, h)})
	return s
}

// listenBoth listens at the same port over UDP and TCP.
func listenBoth(t *testing.T) (pc net.PacketConn, lis net.Listener) {
	t.Helper()
	var lc net.ListenConfig
	var err error
	for range 100 {
		if pc, err = lc.ListenPacket(t.Context(), "udp", "127.0.0.1:0"); err != nil {
			break
		}
		if lis, err = lc.Listen(t.Context(), "tcp", pc.LocalAddr().String()); err == nil {
			return pc, lis
		}
		_ = pc.Close() // somebody has the port
	}
	t.Fatal(err)
	return nil, nil
}

func counted(n *atomic.Int64, h dns.HandlerFunc) dns.HandlerFunc {
	return func(w dns.ResponseWriter, m *dns.Msg) {
		n.Add(1)
		h(w, m)
	}
}

func run(t *testing.T, s *dns.Server) {
	t.Helper()
	started, stopped := make(chan struct{}), make(chan struct{})
	s.NotifyStartedFunc = func() { close(started) }
	go func() {
		defer close(stopped)
		_ = s.ActivateAndServe()
	}()
	<-started
	t.Cleanup(func() {
		_ = s.Shutdown()
		<-stopped
	})
}

func overTCP(w dns.ResponseWriter) bool { return w.RemoteAddr().Network() == "tcp" }

// reply is the answer to m with n addresses.
func reply(m *dns.Msg, n int) *dns.Msg {
	r := new(dns.Msg)
	r.SetReply(m)
	r.Compress = true
	for i := range n {
		hdr := dns.RR_Header{Name: m.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60}
		r.Answer = append(r.Answer, &dns.A{Hdr: hdr, A: net.IPv4(10, 0, byte(i>>8), byte(i))})
	}
	return r
}

func send(w dns.ResponseWriter, m *dns.Msg) { _ = w.WriteMsg(m) }

// ask asks one server over the network, with little time.
func ask(t *testing.T, addr string, timeout time.Duration) lookup.Result {
	t.Helper()
	s := (&lookup.Cache{}).Open(lookup.Servers{Addrs: []string{addr}, Timeout: timeout, Attempts: 1, Limit: time.Minute})
	defer s.Close()
	return s.Ask(t.Context(), question, always)
}

func TestDatagramsThatAreNotTheAnswerArePassedOver(t *testing.T) {
	for name, bad := range map[string]func(*dns.Msg){
		"another id":       func(m *dns.Msg) { m.Id++ },
		"another question": func(m *dns.Msg) { m.Question[0].Name = "b.test." },
		"another type":     func(m *dns.Msg) { m.Question[0].Qtype = dns.TypeTXT },
		"no question":      func(m *dns.Msg) { m.Question = nil },
		"two questions":    func(m *dns.Msg) { m.Question = append(m.Question, m.Question[0]) },
		"no answer in it":  func(m *dns.Msg) { m.Response = false },
		"another opcode":   func(m *dns.Msg) { m.Opcode = dns.OpcodeNotify },
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, func(w dns.ResponseWriter, m *dns.Msg) {
				forged := reply(m, 3)
				bad(forged)
				send(w, forged)
				send(w, reply(m, 1))
			})
			if r := ask(t, s.addr, 10*time.Second); r.Err != nil || len(r.Addrs) != 1 {
				t.Errorf("Ask = %+v, want the one address of the answer that counts", r)
			}
		})
	}
}

func TestNothingButGarbageIsAnErrorThatSaysSo(t *testing.T) {
	s := serve(t, func(w dns.ResponseWriter, m *dns.Msg) {
		_, _ = w.Write([]byte("x"))
		_, _ = w.Write([]byte("not a message at all"))
		wrong := reply(m, 1)
		wrong.Id++
		send(w, wrong)
	})
	r := ask(t, s.addr, 100*time.Millisecond)
	if want := s.addr + ": no answer in time, but a datagram with another id"; r.Err == nil || !strings.Contains(r.Err.Error(), want) {
		t.Errorf("Ask = %v, want %s", r.Err, want)
	}
}

func TestTruncatedAnswerIsFetchedOverTCP(t *testing.T) {
	for name, cut := range map[string]func(w dns.ResponseWriter, m *dns.Msg){
		"by the server": func(w dns.ResponseWriter, m *dns.Msg) {
			r := reply(m, 4000)
			r.Truncate(dns.MinMsgSize)
			send(w, r)
		},
		"on the way": func(w dns.ResponseWriter, m *dns.Msg) {
			packed, _ := reply(m, 30).Pack()
			_, _ = w.Write(packed[:100])
		},
		"as larger than a datagram may be": func(w dns.ResponseWriter, m *dns.Msg) {
			packed, _ := reply(m, 4000).Pack()
			_, _ = w.Write(packed[:60000])
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, func(w dns.ResponseWriter, m *dns.Msg) {
				if overTCP(w) {
					send(w, reply(m, 4000))
					return
				}
				cut(w, m)
			})
			if r := ask(t, s.addr, 10*time.Second); r.Err != nil || len(r.Addrs) != 4000 {
				t.Errorf("Ask = %d addresses, %v, want 4000", len(r.Addrs), r.Err)
			}
			if s.udp.Load() != 1 || s.tcp.Load() != 1 {
				t.Errorf("questions over UDP = %d, over TCP = %d, want 1 and 1", s.udp.Load(), s.tcp.Load())
			}
		})
	}
}

func TestAnswerThatIsNeverWholeIsAnError(t *testing.T) {
	s := serve(t, func(w dns.ResponseWriter, m *dns.Msg) {
		r := reply(m, 2)
		r.Truncated = true
		send(w, r)
	})
	if r := ask(t, s.addr, 10*time.Second); r.Err == nil || !strings.Contains(r.Err.Error(), "truncated, also over TCP") {
		t.Errorf("Ask = %+v, want an error", r)
	}
}

// Some servers call an answer truncated that lacks only additional records.
func TestAnswerWithoutAllOfItsAdditionalRecordsIsWhole(t *testing.T) {
	s := serve(t, func(w dns.ResponseWriter, m *dns.Msg) {
		r := reply(m, 2)
		r.Extra = reply(m, 4000).Answer
		r.Truncate(dns.MaxMsgSize)
		send(w, r)
	})
	if r := ask(t, s.addr, 10*time.Second); r.Err != nil || len(r.Addrs) != 2 {
		t.Errorf("Ask = %+v, want two addresses", r)
	}
}

func TestGarbageOverTCPIsAnErrorAtOnce(t *testing.T) {
	for name, bad := range map[string]struct {
		write func(w dns.ResponseWriter, m *dns.Msg)
		want  string
	}{
		"another id": {func(w dns.ResponseWriter, m *dns.Msg) {
			m.Id++
			send(w, reply(m, 1))
		}, "answered with another id"},
		"64 KB of nothing": {func(w dns.ResponseWriter, _ *dns.Msg) { _, _ = w.Write(make([]byte, 65535)) }, "answered with another id"},
		"a message that breaks off": {func(w dns.ResponseWriter, m *dns.Msg) {
			packed, _ := reply(m, 3).Pack()
			_, _ = w.Write(packed[:len(packed)-2])
		}, "answered with a malformed message"},
		"the end of the connection": {func(w dns.ResponseWriter, _ *dns.Msg) { _ = w.Close() }, "the connection was closed"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, func(w dns.ResponseWriter, m *dns.Msg) {
				if overTCP(w) {
					bad.write(w, m)
					return
				}
				r := reply(m, 0)
				r.Truncated = true
				send(w, r)
			})
			if r := ask(t, s.addr, time.Minute); r.Err == nil || !strings.Contains(r.Err.Error(), bad.want) {
				t.Errorf("Ask = %v, want %q in it", r.Err, bad.want)
			}
		})
	}
}

func TestServerWithoutEDNSIsAskedWithout(t *testing.T) {
	s := serve(t, func(w dns.ResponseWriter, m *dns.Msg) {
		if opt := m.IsEdns0(); opt != nil {
			if opt.UDPSize() != 1232 {
				t.Errorf("EDNS0 offers %d bytes, want 1232", opt.UDPSize())
			}
			r := new(dns.Msg)
			r.SetRcodeFormatError(m)
			r.Question = nil
			send(w, r)
			return
		}
		send(w, reply(m, 1))
	})
	if r := ask(t, s.addr, 10*time.Second); r.Err != nil || len(r.Addrs) != 1 {
		t.Errorf("Ask = %+v, want one address", r)
	}
}

func TestRefusalIsAnErrorAtOnceAndAlwaysTheSame(t *testing.T) {
	addr := held.Refusing(t)
	want := fmt.Sprintf("A record: %s: connection refused", addr)
	for range 3 {
		if r := ask(t, addr, time.Minute); r.Err == nil || r.Err.Error() != want {
			t.Errorf("Ask = %v, want %s", r.Err, want)
		}
	}
}

func TestEndOfContextEndsTheExchange(t *testing.T) {
	received := make(chan struct{}, 1)
	s := serve(t, func(dns.ResponseWriter, *dns.Msg) { received <- struct{}{} })
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-received
		cancel()
	}()
	session := (&lookup.Cache{}).Open(lookup.Servers{Addrs: []string{s.addr}, Timeout: time.Hour, Attempts: 1, Limit: time.Hour})
	defer session.Close()
	if r := session.Ask(ctx, question, always); r.Err == nil {
		t.Errorf("Ask = %+v, want an error", r)
	}
}

func FuzzAnswer(f *testing.F) {
	q := dns.Question{Name: "a.test.", Qtype: dns.TypeA, Qclass: dns.ClassINET}
	asked := &dns.Msg{MsgHdr: dns.MsgHdr{Id: 7}, Question: []dns.Question{q}}
	good, _ := reply(asked, 2).Pack()
	f.Add(good)
	f.Fuzz(func(t *testing.T, raw []byte) {
		h := func(_ context.Context, q lookup.Question) (*dns.Msg, error) {
			m := new(dns.Msg)
			if err := m.Unpack(raw); err != nil {
				return nil, err
			}
			return m, nil
		}
		for _, kind := range []lookup.Type{lookup.TypeA, lookup.TypeAAAA, lookup.TypeSRV, lookup.TypeTXT} {
			r := askOnce(t, h, lookup.Question{Name: "a.test.", Type: kind})
			if n := len(r.Addrs) + len(r.SRVs) + len(r.TXTs); n > 0 && (r.Err != nil || r.Empty()) {
				t.Errorf("answer % x: %d records and %v, %q", raw, n, r.Err, r.Missing)
			}
			if r.TTL < 0 {
				t.Errorf("answer % x: TTL %v", raw, r.TTL)
			}
		}
	})
}

// A datagram of any content must end neither the client nor the look-up.
func TestRandomDatagrams(t *testing.T) {
	s := serve(t, func(w dns.ResponseWriter, m *dns.Msg) {
		for i := range 200 {
			junk := make([]byte, i)
			if i >= 2 {
				binary.BigEndian.PutUint16(junk, m.Id+uint16(i))
			}
			_, _ = w.Write(junk)
		}
		send(w, reply(m, 1))
	})
	if r := ask(t, s.addr, 10*time.Second); r.Err != nil || len(r.Addrs) != 1 {
		t.Errorf("Ask = %+v, want one address", r)
	}
}
