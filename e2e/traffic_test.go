package e2e

import (
	"context"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
)

// traffic is RPCs without a break.
type traffic struct {
	stop context.CancelFunc
	wg   sync.WaitGroup

	mu     sync.Mutex // guards the fields below
	calls  int
	failed []error
	first  map[string]time.Time // when the first RPC to a backend began
	last   map[string]time.Time // and the last
}

// startTraffic makes RPCs on cc, from four goroutines, until the test ends or it
// is told to.
func startTraffic(tb testing.TB, cc *grpc.ClientConn) *traffic {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	tr := &traffic{stop: cancel, first: map[string]time.Time{}, last: map[string]time.Time{}}
	for range 4 {
		tr.wg.Go(func() {
			for ctx.Err() == nil {
				tr.call(ctx, cc)
			}
		})
	}
	tb.Cleanup(tr.end)
	return tr
}

func (tr *traffic) call(ctx context.Context, cc *grpc.ClientConn) {
	began := time.Now()
	addr, err := call(context.WithoutCancel(ctx), cc)
	tr.note(began, addr, err)
	select { // leave the machine to the tests beside this one
	case <-time.After(2 * time.Millisecond):
	case <-ctx.Done():
	}
}

func (tr *traffic) note(began time.Time, addr string, err error) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.calls++
	if err != nil {
		tr.failed = append(tr.failed, err)
		return
	}
	if tr.first[addr].IsZero() {
		tr.first[addr] = began
	}
	tr.last[addr] = began
}

func (tr *traffic) end() {
	tr.stop()
	tr.wg.Wait()
}

// seen returns when the first and the last RPC to a backend began, zero if there
// was none.
func (tr *traffic) seen(b *backend) (first, last time.Time) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.first[b.addr], tr.last[b.addr]
}

// check fails the test if an RPC has failed.
func (tr *traffic) check(tb testing.TB) {
	tb.Helper()
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if len(tr.failed) > 0 {
		tb.Errorf("%d of %d RPCs failed, the first with %v", len(tr.failed), tr.calls, tr.failed[0])
	}
	tb.Logf("%d RPCs, %d failed", tr.calls, len(tr.failed))
}
