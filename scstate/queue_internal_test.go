package scstate

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

// A queue beside a model of it, by random operations of one goroutine.
func TestQueueMatchesModel(t *testing.T) {
	for range 200 {
		var (
			seed   = rand.Uint64()
			rng    = rand.New(rand.NewPCG(seed, 0))
			q      queue
			want   []uint32 // queued
			n      uint32
			held   bool
			closed bool
		)
		put := func(how func(entry) (bool, bool)) {
			ok, hold := how(entry{change: Update{registration: n}})
			if ok == closed || hold != (ok && !held) {
				t.Fatalf("seed %d: put = %v, %v with held %v, closed %v", seed, ok, hold, held, closed)
			}
			if ok {
				want = append(want, n)
				held = true
			}
			n++
		}
		for range 400 {
			switch op := rng.IntN(12); {
			case op == 0 && rng.IntN(20) == 0:
				put(q.putLast)
				closed = true
			case op < 5:
				put(q.put)
			case op < 7:
				if got, w := q.claim(), !held && !closed; got != w {
					t.Fatalf("seed %d: claim = %v, want %v", seed, got, w)
				}
				held = held || !closed
			case !held: // next and release are for the holder.
			case op < 9:
				held = len(want) > 0
				if got := q.release(); got == held {
					t.Fatalf("seed %d: release = %v with %d queued", seed, got, len(want))
				}
			default:
				var got []uint32
				for _, e := range q.next() {
					got = append(got, e.change.registration)
				}
				if !slices.Equal(got, want) {
					t.Fatalf("seed %d: next = %d, want %d", seed, got, want)
				}
				held, want = len(want) > 0, nil
			}
			if q.held != held || !held && q.buf.Len() > 0 {
				t.Fatalf("seed %d: held = %v, want %v; queued %d", seed, q.held, held, q.buf.Len())
			}
		}
	}
}

// Goroutines that use a queue in all ways: one at a time holds it, nothing
// that was put is left behind, lost or out of its producer's order.
func TestQueueHasOneHolderAtATime(t *testing.T) {
	const producers, rounds = 6, 5000
	var (
		q       queue
		holders atomic.Int32
		ran     [producers][]uint32 // touched only by the holder
		left    sync.WaitGroup      // what is not run yet
		workers sync.WaitGroup
	)
	hold := func(fn func()) {
		if holders.Add(1) != 1 {
			t.Error("two hold the queue")
		}
		fn()
		holders.Add(-1)
	}
	run := func() {
		for batch := q.next(); len(batch) > 0; batch = q.next() {
			hold(func() {
				for _, e := range batch {
					e.call()
				}
			})
		}
	}
	for p := range producers {
		left.Add(rounds)
		workers.Go(func() {
			rng := rand.New(rand.NewPCG(rand.Uint64(), 0))
			for n := range uint32(rounds) {
				e := entry{call: func() { ran[p] = append(ran[p], n); left.Done() }}
				if rng.IntN(3) == 0 && q.claim() {
					hold(e.call)
					if !q.release() {
						go run()
					}
					continue
				}
				if _, hold := q.put(e); hold {
					run()
				}
				if rng.IntN(8) == 0 {
					runtime.Gosched()
				}
			}
		})
	}
	workers.Wait()
	left.Wait()
	for p := range producers {
		if len(ran[p]) != rounds || !slices.IsSorted(ran[p]) {
			t.Errorf("producer %d: %d ran, sorted %v, want %d in order", p, len(ran[p]), slices.IsSorted(ran[p]), rounds)
		}
	}
}
