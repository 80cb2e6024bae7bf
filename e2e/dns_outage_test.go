package e2e

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// outage is how long the name server gives bad answers.
const outage = 30 * time.Second

// A name server that gives bad answers, or none, costs no RPC and no connection.
func TestDNSBadAnswersUnderTraffic(t *testing.T) {
	t.Parallel()
	nothing := func(testing.TB, *coreDNS) {}
	recovers := func(tb testing.TB, s *coreDNS) { tb.Helper(); s.restart(tb, "") }
	for _, tt := range []struct {
		name       string
		begin, end func(testing.TB, *coreDNS)
	}{
		{"NXDOMAIN", func(tb testing.TB, s *coreDNS) { tb.Helper(); s.change(tb, "other 1 IN A 127.0.0.1") }, nothing},
		{"NODATA", func(tb testing.TB, s *coreDNS) { tb.Helper(); s.change(tb, "payments 1 IN TXT x") }, nothing},
		{"SERVFAIL", func(tb testing.TB, s *coreDNS) { tb.Helper(); s.restart(tb, "SERVFAIL") }, recovers},
		{"down", func(_ testing.TB, s *coreDNS) { s.stop() }, recovers},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := startFleet(t, 3)
			s := startCoreDNS(t, f.records("payments", 1, 0, 1)...)
			cc := dial(t, s.target("payments.test:"+f.port+"?min=1s"))
			waitForBackends(t, cc, f.backends[:2]...)
			tr := startTraffic(t, cc)

			began := time.Now()
			tt.begin(t, s)
			<-time.After(time.Until(began.Add(outage)))
			for i, b := range f.backends[:2] {
				if got := b.accepted.Load(); got != 1 {
					t.Errorf("backend %d: connections = %d, want 1", i, got)
				}
				if _, last := tr.seen(b); time.Since(last) > 5*time.Second {
					t.Errorf("backend %d has had no RPC for %v", i, time.Since(last))
				}
			}
			tt.end(t, s)
			s.change(t, f.records("payments", 1, 0, 1, 2)...)
			// The waits between look-ups have grown to 10 s, plus or minus half.
			for began := time.Now(); ; <-time.After(10 * time.Millisecond) {
				if first, _ := tr.seen(f.backends[2]); !first.IsZero() {
					t.Logf("a new backend had its first RPC %v after the end", time.Since(began).Round(10*time.Millisecond))
					break
				}
				if time.Since(began) > 20*time.Second {
					t.Fatal("a new backend had no RPC within 20 s after the end")
				}
			}
			tr.end()
			tr.check(t)
		})
	}
}

// After the grace period the channel goes by what the name server says.
func TestDNSGrace(t *testing.T) {
	t.Parallel()
	f := startFleet(t, 1)
	s := startCoreDNS(t, f.records("payments", 1, 0)...)
	cc := dial(t, s.target("payments.test:"+f.port+"?min=200ms&max=200ms&grace=300ms"))
	waitForBackends(t, cc, f.backends[0])
	s.change(t, "other 1 IN A 127.0.0.1")
	var err error
	eventually(t, "an RPC without backends", func() bool {
		_, err = call(rpcDeadline(t), cc)
		return err != nil
	})
	eventually(t, "the error of the name server", func() bool {
		_, err = call(rpcDeadline(t), cc)
		want := `dns: "payments.test": no endpoints: ` + s.addr + " answered NXDOMAIN"
		return status.Code(err) == codes.Unavailable && strings.Contains(err.Error(), want)
	})
	s.change(t, f.records("payments", 1, 0)...)
	waitForBackends(t, cc, f.backends[0])
}
