package demo

import (
	"cmp"
	"context"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"
	"google.golang.org/grpc"
	pb "google.golang.org/grpc/examples/helloworld/helloworld"
	"google.golang.org/grpc/peer"
)

// tally counts RPCs by the address that answered. It is safe for concurrent
// use.
type tally struct {
	mu      sync.Mutex // guards the fields below
	byAddr  map[string]*answers
	rpcs    int
	errors  int
	lastErr error
}

// answers are the RPCs of one backend.
type answers struct {
	count       int
	first, last time.Time // when one was answered
}

func newTally() *tally { return &tally{byAddr: make(map[string]*answers)} }

func (t *tally) record(addr string, err error) {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rpcs++
	if err != nil {
		t.errors++
		t.lastErr = err
		return
	}
	a := t.byAddr[addr]
	if a == nil {
		a = &answers{first: now}
		t.byAddr[addr] = a
	}
	a.count++
	a.last = now
}

// of returns what is known of one backend.
func (t *tally) of(addr string) answers {
	t.mu.Lock()
	defer t.mu.Unlock()
	if a := t.byAddr[addr]; a != nil {
		return *a
	}
	return answers{}
}

// counts returns the RPCs of each backend so far.
func (t *tally) counts() map[string]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	counts := make(map[string]int, len(t.byAddr))
	for addr, a := range t.byAddr {
		counts[addr] = a.count
	}
	return counts
}

// totals returns all RPCs, and those that failed with the last error.
func (t *tally) totals() (rpcs, errors int, last error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.rpcs, t.errors, t.lastErr
}

// load makes RPCs, one after the other, until ctx ends.
func load(ctx context.Context, cc *grpc.ClientConn, perSecond float64, t *tally) {
	limit := rate.NewLimiter(rate.Inf, 1)
	if perSecond > 0 {
		limit = rate.NewLimiter(rate.Limit(perSecond), max(1, int(perSecond/100)))
	}
	client := pb.NewGreeterClient(cc)
	for limit.Wait(ctx) == nil {
		var p peer.Peer
		// The RPC itself is not cancelled with ctx: it would count as failed.
		call, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		_, err := client.SayHello(call, &pb.HelloRequest{Name: "evenkeel"}, grpc.Peer(&p))
		cancel()
		addr := ""
		if p.Addr != nil {
			addr = p.Addr.String()
		}
		t.record(addr, err)
	}
}

// deviation returns how far, in percent of the mean, the share of any backend
// was from it between two counts. One RPC more or less does not count: it is
// what a turn leaves that was under way at one of the counts. The result is 0 if
// nothing was counted.
func deviation(before, after map[string]int, addrs []string) float64 {
	if len(addrs) == 0 {
		return 0
	}
	sum, worst := 0, 0.0
	for _, a := range addrs {
		sum += after[a] - before[a]
	}
	if sum == 0 {
		return 0
	}
	mean := float64(sum) / float64(len(addrs))
	for _, a := range addrs {
		off := math.Abs(float64(after[a]-before[a])-mean) - 1
		worst = max(worst, off/mean*100)
	}
	return worst
}

// sortedAddrs returns the addresses of counts in order of their ports.
func sortedAddrs(counts map[string]int) []string {
	return slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
	})
}

// sleep waits, or returns [ErrInterrupted] if ctx ends first.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ErrInterrupted
	case <-time.After(d):
		return nil
	}
}
