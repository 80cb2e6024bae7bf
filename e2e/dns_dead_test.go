package e2e

import (
	"context"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/evenkeel-grpc/evenkeel/internal/held"
)

// silentUDP returns the address of a name server that swallows everything.
func silentUDP(tb testing.TB) string {
	tb.Helper()
	var lc net.ListenConfig
	pc, err := lc.ListenPacket(tb.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = pc.Close() })
	return pc.LocalAddr().String()
}

// sockets counts those of the process.
func sockets(tb testing.TB) (n int) {
	tb.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		tb.Skip("no /proc: ", err)
	}
	for _, e := range entries {
		if to, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && strings.HasPrefix(to, "socket:") {
			n++
		}
	}
	return n
}

// An RPC with a deadline of 100 ms ends within 120 ms, and says what is wrong
// with the name server. A name server that refuses is known at once, so only an
// RPC that waits for ready uses up its deadline; one that is silent is given up
// shortly before it.
func TestDNSDeadServerIsTheErrorOfARPC(t *testing.T) {
	for _, tt := range []struct {
		name, addr, want string
		wait             bool
		code             codes.Code
		least            time.Duration
	}{
		{"refuses", held.Refusing(t), "connection refused", false, codes.Unavailable, 0},
		{"refuses, and the RPC waits for ready", held.Refusing(t), "connection refused", true, codes.DeadlineExceeded, 80 * time.Millisecond},
		{"is silent", silentUDP(t), "nor any sign of life", false, codes.Unavailable, 80 * time.Millisecond},
		{"is silent, and the RPC waits for ready", silentUDP(t), "nor any sign of life", true, codes.DeadlineExceeded, 80 * time.Millisecond},
	} {
		t.Run(tt.name, func(t *testing.T) {
			// The machine may be busy: one of ten tries has to be on time.
			for try := 1; ; try++ {
				cc := dial(t, "dns://"+tt.addr+"/payments.test:1")
				ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
				began := time.Now()
				_, err := call(ctx, cc, grpc.WaitForReady(tt.wait))
				took := time.Since(began)
				cancel()
				_ = cc.Close()
				good := status.Code(err) == tt.code && took >= tt.least && took <= 120*time.Millisecond &&
					strings.Contains(err.Error(), tt.addr) && strings.Contains(err.Error(), tt.want)
				if good {
					t.Logf("try %d: %v after %v", try, err, took.Round(100*time.Microsecond))
					return
				}
				if try == 10 {
					t.Fatalf("the RPC ended after %v with %v, want %v with %q after %v to 120 ms", took, err, tt.code, tt.want, tt.least)
				}
			}
		})
	}
}

// A channel that started while the name server was down works when it comes.
func TestDNSDownAtStart(t *testing.T) {
	f := startFleet(t, 1)
	s := newCoreDNS(t, f.records("payments", 1, 0)...)
	cc := dial(t, s.target("payments.test:"+f.port))
	if _, err := call(rpcDeadline(t), cc); status.Code(err) != codes.Unavailable {
		t.Errorf("RPC while the name server is down = %v, want Unavailable", err)
	}
	s.start(t, "")
	waitForBackends(t, cc, f.backends[0])
}
