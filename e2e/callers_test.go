package e2e

import (
	"context"
	"flag"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
)

// full makes the tests as long as what they stand for, and holds them to the
// figures that need a machine of their own: go test -full.
var full = flag.Bool("full", false, "outages and storms at their full length, with their time limits")

// length returns an outage of full length, or a short one.
func length(short, long time.Duration) time.Duration {
	if *full {
		return long
	}
	return short
}

// callers make RPCs until they are stopped. No RPC waits for a connection.
type callers struct {
	cancel context.CancelFunc
	wg     sync.WaitGroup

	rpcs, failed atomic.Int64

	mu    sync.Mutex // guards the fields below
	last  map[string]time.Time
	first error
}

func startCallers(tb testing.TB, cc *grpc.ClientConn) *callers {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t := &callers{cancel: cancel, last: make(map[string]time.Time)}
	for range 2 {
		t.wg.Go(func() {
			for ctx.Err() == nil {
				t.one(ctx, cc)
				time.Sleep(time.Millisecond) // the machine is small
			}
		})
	}
	tb.Cleanup(t.stop)
	return t
}

func (t *callers) one(ctx context.Context, cc *grpc.ClientConn) {
	rpc, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	addr, err := call(rpc, cc)
	if ctx.Err() != nil {
		return // cut off by stop
	}
	t.rpcs.Add(1)
	t.mu.Lock()
	defer t.mu.Unlock()
	if err == nil {
		t.last[addr] = time.Now()
		return
	}
	t.failed.Add(1)
	if t.first == nil {
		t.first = err
	}
}

func (t *callers) stop() {
	t.cancel()
	t.wg.Wait()
}

// lastOn returns when the last RPC on a backend ended.
func (t *callers) lastOn(addr string) time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.last[addr]
}

// mustNotHaveFailed stops the callers and fails the test if an RPC has failed.
func (t *callers) mustNotHaveFailed(tb testing.TB) {
	tb.Helper()
	enough := t.rpcs.Load() + 20
	eventually(tb, "more RPCs", func() bool { return t.rpcs.Load() >= enough })
	t.stop()
	if n := t.failed.Load(); n > 0 {
		tb.Errorf("%d of %d RPCs failed, the first with %v", n, t.rpcs.Load(), t.first)
	}
	tb.Logf("%d RPCs, %d failed", t.rpcs.Load(), t.failed.Load())
}
