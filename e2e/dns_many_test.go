package e2e

import (
	"fmt"
	"net/url"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/resolver"
)

// many returns n addresses for name, in 10.0.0.0/8.
func many(name string, from, n int) []string {
	var records []string
	for i := from; i < from+n; i++ {
		records = append(records, fmt.Sprintf("%s 1 IN A 10.%d.%d.%d", name, i>>16, i>>8&255, i&255))
	}
	return records
}

// One message holds some 4,000 records, so 10,000 are those of three names that
// SRV records tie together. CoreDNS shuffles each answer.
func TestDNSTenThousandRecordsOverTCP(t *testing.T) {
	records := slices.Concat(
		[]string{"_grpc._tcp.big 1 IN SRV 0 0 80 big1", "_grpc._tcp.big 1 IN SRV 0 0 80 big2", "_grpc._tcp.big 1 IN SRV 0 0 80 big3"},
		many("big1", 0, 3334), many("big2", 3334, 3333), many("big3", 6667, 3333))
	s := startCoreDNS(t, records...)
	began := time.Now()
	v := build(t, s.target("_grpc._tcp.big.test?min=500ms&max=500ms"))
	eventually(t, "10,000 endpoints", func() bool { return v.endpoints() == 10000 })
	t.Logf("10,000 records were published after %v", time.Since(began).Round(time.Millisecond))

	asked := s.count("A big1.test.")
	eventually(t, "five more look-ups", func() bool { return s.count("A big1.test.") >= asked+10 }) // each over UDP and TCP
	if calls := v.calls(); len(calls) != 1 {
		t.Errorf("identical answers were published: %d calls", len(calls))
	}
	s.change(t, append(records, "big1 1 IN A 11.0.0.1")...)
	eventually(t, "one more endpoint", func() bool { return v.endpoints() == 10001 })
	if calls := v.calls(); len(calls) != 2 {
		t.Errorf("one change was published in %d calls", len(calls)-1)
	}
}

// As many records as fit into a message come whole, more are an error.
func TestDNSOneNameWithAllThatAMessageHolds(t *testing.T) {
	s := startCoreDNS(t, many("big", 0, 4000)...)
	v := build(t, s.target("big.test"))
	eventually(t, "4,000 endpoints", func() bool { return v.endpoints() == 4000 })
}

// A thousand channels cost the name server about as much as one.
func TestDNSThousandChannelsAskOnce(t *testing.T) {
	f := startFleet(t, 1)
	s := startCoreDNS(t, f.records("payments", 2, 0)...)
	target := s.target("payments.test:" + f.port + "?min=1s")
	var channels []*grpc.ClientConn
	began := time.Now()
	for range 1000 {
		cc := dial(t, target)
		cc.Connect()
		channels = append(channels, cc)
	}
	for _, cc := range channels {
		mustCall(t, cc)
	}
	before, starting := s.count("A payments.test."), time.Since(began)
	const watched = 20 * time.Second
	<-time.After(watched)
	got := s.count("A payments.test.") - before
	t.Logf("look-ups of 1,000 channels in %v with a TTL of 2 s: %d; while they started, %v: %d", watched, got, starting.Round(time.Second), before)
	// One each 1.8 s is the most that jitter can make of it.
	most := func(d time.Duration) int { return int(d/(1800*time.Millisecond)) + 2 }
	if got < 5 || got > most(watched) {
		t.Errorf("look-ups in %v = %d, want about 10", watched, got)
	}
	if before > most(starting) {
		t.Errorf("look-ups while the channels started = %d, want %d at most", before, most(starting))
	}
	for _, cc := range channels {
		_ = cc.Close()
	}
}

// Building is fast, also with a name server that swallows everything, and closing
// leaves neither a goroutine (see TestMain) nor a socket.
func TestDNSBuildIsFastAndCloseLeavesNoSocket(t *testing.T) {
	u, err := url.Parse("dns://" + silentUDP(t) + "/payments.test")
	if err != nil {
		t.Fatal(err)
	}
	before := sockets(t)
	var took []time.Duration
	for range 1000 {
		began := time.Now()
		r, err := resolver.Get("dns").Build(resolver.Target{URL: *u}, &view{}, resolver.BuildOptions{})
		took = append(took, time.Since(began))
		if err != nil {
			t.Fatal(err)
		}
		r.Close()
	}
	slices.Sort(took)
	median, p99 := took[len(took)/2], took[len(took)*99/100]
	t.Logf("Build: median %v, p99 %v, most %v", median, p99, took[len(took)-1])
	if median > time.Millisecond {
		t.Errorf("median time of Build = %v, want less than 1 ms", median)
	}
	if after := sockets(t); after > before {
		t.Errorf("sockets = %d, before %d", after, before)
	}
}
