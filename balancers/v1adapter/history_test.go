package v1adapter_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/evenkeel-grpc/evenkeel/balancers/v1adapter"
)

// history does random things to a channel and notes what its balancer sees.
type history struct {
	*world
	rand *rand.Rand
	fake *fake
	cc   *grpc.ClientConn
	up   []string // servers
	rpcs sync.WaitGroup

	mu   sync.Mutex // guards the fields below
	puts map[int]int
	gets int
	seed *rand.Rand // for Get, which comes from any goroutine
}

var names = []string{"a", "b", "c", "d"}

// get returns any address, at once or after a while, or an error.
func (h *history) get(ctx context.Context, o v1adapter.BalancerGetOptions) (v1adapter.Address, func(), error) {
	h.mu.Lock()
	id, r := h.gets, h.seed.IntN(10)
	addr := v1adapter.Address{Addr: names[h.seed.IntN(len(names))]}
	delay := time.Duration(h.seed.IntN(2000)) * time.Millisecond
	h.gets++
	h.puts[id] = 0
	h.mu.Unlock()
	put := func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.puts[id]++
	}
	if o.BlockingWait && r < 5 {
		t := time.NewTimer(delay)
		select {
		case <-t.C:
		case <-ctx.Done():
			if r < 3 { // Some do not look at the context.
				return v1adapter.Address{}, put, ctx.Err()
			}
			<-t.C
		}
	}
	if r == 9 {
		return addr, put, errors.New("history: no")
	}
	return addr, put, nil
}

func (h *history) step() {
	switch h.rand.IntN(10) {
	case 0:
		h.fake.lists <- addrs(h.some()...)
	case 1:
		name := names[h.rand.IntN(len(names))]
		if i := slices.Index(h.up, name); i >= 0 {
			h.up = slices.Delete(h.up, i, i+1)
			h.stop(name)
			return
		}
		h.up = append(h.up, name)
		h.start(name)
	case 2:
		time.Sleep(time.Duration(h.rand.IntN(3000)) * time.Millisecond)
	default:
		h.rpc(h.rand.IntN(2) == 0, time.Duration(h.rand.IntN(5000))*time.Millisecond)
	}
	if h.rand.IntN(3) == 0 {
		synctest.Wait()
	}
}

// some returns some of the names, some of them twice.
func (h *history) some() []string {
	var s []string
	for range h.rand.IntN(6) {
		s = append(s, names[h.rand.IntN(len(names))])
	}
	return s
}

// rpc makes one RPC, whose only way to fail is to have had bad luck.
func (h *history) rpc(waits bool, timeout time.Duration) {
	h.rpcs.Go(func() {
		ctx, cancel := context.WithTimeout(h.t.Context(), timeout)
		defer cancel()
		_, err := call(ctx, h.cc, grpc.WaitForReady(waits))
		switch status.Code(err) {
		case codes.OK, codes.Unavailable, codes.DeadlineExceeded, codes.Canceled:
		default:
			h.t.Errorf("RPC = %v", err)
		}
	})
}

// checkPuts fails the test unless each Get had one put.
func (h *history) checkPuts() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, n := range h.puts {
		if n != 1 {
			h.t.Errorf("puts of Get %d = %d, want 1", id, n)
		}
	}
	if h.gets == 0 {
		h.t.Error("there was no Get")
	}
}

// checkEvents fails the test unless each Up was followed by its down, and Close
// came last.
func (h *history) checkEvents() {
	up := map[string]bool{}
	events := h.fake.take()
	for i, e := range events {
		what, addr, _ := strings.Cut(e, " ")
		switch what {
		case "up", "down":
			if up[addr] == (what == "up") {
				h.t.Errorf("event %d, %q, comes twice in %v", i, e, events)
			}
			up[addr] = what == "up"
		case "close":
			if i != len(events)-1 {
				h.t.Errorf("close is event %d of %v", i, events)
			}
		}
	}
	for addr, is := range up {
		if is {
			h.t.Errorf("%s is up at the end of %v", addr, events)
		}
	}
	for _, err := range h.fake.downs {
		if err == nil {
			h.t.Error("down was called with nil")
		}
	}
}

// Get and Connections, under anything that may happen: put once for each Get,
// down once for each Up, nothing after Close, no RPC forgotten, no goroutine
// left.
func TestRandomHistories(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &history{
					world: newWorld(t, "a", "b"), up: []string{"a", "b"}, fake: newFake(), puts: map[int]int{},
					rand: rand.New(rand.NewPCG(seed, 1)), seed: rand.New(rand.NewPCG(seed, 2)),
				}
				h.fake.get = h.get
				h.cc = h.dial(v1adapter.DialOptions(h.fake)...)
				for range 200 {
					h.step()
				}
				if seed%2 == 0 { // Close during RPCs, or after them.
					h.rpcs.Wait()
				}
				if err := h.cc.Close(); err != nil {
					t.Error(err)
				}
				h.rpcs.Wait()
				time.Sleep(time.Minute)
				h.checkPuts()
				h.checkEvents()
			})
		})
	}
}
