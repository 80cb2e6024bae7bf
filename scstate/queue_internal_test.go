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
			got    []uint32 // taken
			n      uint32
			held   bool
			closed bool
		)
		put := func(how func(n uint32) (bool, bool)) {
			ok, hold := how(n)
			if ok == closed || hold != (ok && !held) {
				t.Fatalf("seed %d: put = %v, %v with held %v, closed %v", seed, ok, hold, held, closed)
			}
			if ok {
				want = append(want, n)
				held = true
			}
			n++
		}
		take := func(n uint32) func() { return func() { got = append(got, n) } }
		for range 400 {
			switch op := rng.IntN(12); {
			case op == 0 && rng.IntN(20) == 0:
				put(func(n uint32) (bool, bool) { return q.putLast(take(n)) })
				closed = true
			case op < 3:
				put(func(n uint32) (bool, bool) { return q.putCall(take(n)) })
			case op < 6:
				put(func(n uint32) (bool, bool) { return q.put(Update{registration: n}) })
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
				got = nil
				b, done := q.next(), 0
				for _, c := range append(slices.Clone(b.calls), call{len(b.changes), func() {}}) {
					for _, u := range b.changes[done:c.after] {
						take(u.registration)()
					}
					done = c.after
					c.fn()
				}
				if !slices.Equal(got, want) {
					t.Fatalf("seed %d: next = %d, want %d", seed, got, want)
				}
				held, want = len(want) > 0, nil
			}
			if q.held != held || !held && q.changes.Len()+len(q.calls) > 0 {
				t.Fatalf("seed %d: held = %v, want %v; queued %d", seed, q.held, held, q.changes.Len())
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
		for b := q.next(); !b.empty(); b = q.next() {
			hold(func() {
				for _, c := range b.calls {
					c.fn()
				}
			})
		}
	}
	for p := range producers {
		left.Add(rounds)
		workers.Go(func() {
			rng := rand.New(rand.NewPCG(rand.Uint64(), 0))
			for n := range uint32(rounds) {
				fn := func() { ran[p] = append(ran[p], n); left.Done() }
				if rng.IntN(3) == 0 && q.claim() {
					hold(fn)
					if !q.release() {
						go run()
					}
					continue
				}
				if _, hold := q.putCall(fn); hold {
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
