package lookup_test

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/evenkeel-grpc/evenkeel/resolvers/dns/internal/lookup"
)

func TestAlive(t *testing.T) {
	after := func(d time.Duration, h handler) handler {
		return func(ctx context.Context, q lookup.Question) (*dns.Msg, error) {
			select {
			case <-time.After(d):
				return h(ctx, q)
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
	}
	for _, tt := range []struct {
		name     string
		handlers map[string]handler
		want     bool
		after    time.Duration
	}{
		{"nobody answers", map[string]handler{"a:53": silent, "b:53": silent}, false, 100 * time.Millisecond},
		{"nobody can be reached", map[string]handler{"a:53": fails("refused"), "b:53": fails("refused")}, false, 100 * time.Millisecond},
		{"one answers", map[string]handler{"a:53": silent, "b:53": after(30*time.Millisecond, says(t))}, true, 30 * time.Millisecond},
		{"one refuses to answer", map[string]handler{"a:53": silent, "b:53": after(30*time.Millisecond, refuses(t, dns.RcodeRefused))}, true, 30 * time.Millisecond},
		{"one answers at the last moment", map[string]handler{"a:53": silent, "b:53": after(99*time.Millisecond, says(t))}, true, 99 * time.Millisecond},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := open(t, &fakeNet{handlers: tt.handlers}, servers("a:53", "b:53"))
				began := time.Now()
				if got := s.Alive(t.Context(), 100*time.Millisecond); got != tt.want || time.Since(began) != tt.after {
					t.Errorf("Alive = %v after %v, want %v after %v", got, time.Since(began), tt.want, tt.after)
				}
			})
		})
	}
}

func TestAnswerOfAMomentAgoIsASignOfLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &fakeNet{handlers: map[string]handler{"a:53": says(t, "a.test. 60 IN A 10.0.0.1")}}
		s := open(t, n, servers("a:53"))
		s.Ask(t.Context(), question, never)
		n.take()
		time.Sleep(4 * time.Second)
		if !s.Alive(t.Context(), time.Second) || len(n.take()) != 0 {
			t.Error("Alive asks a server that answered 4 s ago")
		}
		time.Sleep(2 * time.Second)
		if !s.Alive(t.Context(), time.Second) || len(n.take()) != 1 {
			t.Error("Alive does not ask a server that answered 6 s ago")
		}
	})
}

func TestAliveEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, &fakeNet{handlers: map[string]handler{"a:53": silent}}, servers("a:53"))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if s.Alive(ctx, time.Hour) || time.Since(began) != time.Second {
			t.Errorf("Alive returned after %v, want false after 1 s", time.Since(began))
		}
	})
}

// Over TLS a connection is a sign of life: the handshake takes longer than there
// is time.
func TestConnectionIsASignOfLife(t *testing.T) {
	var lc net.ListenConfig
	lis, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lis.Close() }()
	s := (&lookup.Cache{}).Open(lookup.Servers{
		Addrs: []string{lis.Addr().String()}, ServerName: "dns.test", Timeout: time.Minute, Attempts: 1, Limit: time.Minute,
	})
	defer s.Close()
	if !s.Alive(t.Context(), 10*time.Second) {
		t.Error("Alive = false, want true")
	}
}
