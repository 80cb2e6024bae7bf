package scstate_test

import (
	"runtime"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/evenkeel-grpc/evenkeel/scstate"
)

func TestZeroBufferIsEmptyAndOpen(t *testing.T) {
	var b scstate.Buffer[int]
	if got := b.Take(nil); len(got) != 0 {
		t.Errorf("Take(nil) = %v, want nothing", got)
	}
	if !b.Put(1) || !b.Put(2) {
		t.Error("Put = false, want true")
	}
	if b.Len() != 2 || b.Total() != 2 {
		t.Errorf("Len, Total = %d, %d, want 2, 2", b.Len(), b.Total())
	}
	if diff := cmp.Diff([]int{1, 2}, b.Take(nil)); diff != "" {
		t.Errorf("Take(nil) (-want +got):\n%s", diff)
	}
	if b.Len() != 0 || b.Total() != 2 {
		t.Errorf("Len, Total after Take = %d, %d, want 0, 2", b.Len(), b.Total())
	}
}

func TestPutAfterCloseIsRefused(t *testing.T) {
	var b scstate.Buffer[int]
	b.Put(1)
	b.Close()
	b.Close()
	if b.Put(2) {
		t.Error("Put after Close = true, want false")
	}
	if b.Len() != 1 || b.Total() != 1 {
		t.Errorf("Len, Total = %d, %d, want 1, 1", b.Len(), b.Total())
	}
	if diff := cmp.Diff([]int{1}, b.Take(nil)); diff != "" {
		t.Errorf("Take after Close (-want +got):\n%s", diff)
	}
}

// The array that a burst grew comes back as the queue of the next elements, and
// must not be released with one of them in it.
func TestFewElementsAfterManyAreNotLost(t *testing.T) {
	var b scstate.Buffer[int]
	var batch []int
	for _, n := range []int{5000, 5000, 1, 0, 1, 2000, 3, 0, 0, 7} {
		for i := range n {
			b.Put(i)
		}
		if batch = b.Take(batch); len(batch) != n {
			t.Fatalf("len(Take) after %d Puts = %d, want %d", n, len(batch), n)
		}
	}
}

func TestProducersKeepTheirOrder(t *testing.T) {
	type element struct{ producer, n int }
	const producers, each = 64, 2000
	var (
		b    scstate.Buffer[element]
		wg   sync.WaitGroup
		next [producers]int
	)
	ready := b.Ready()
	for p := range producers {
		wg.Go(func() {
			for i := range each {
				if !b.Put(element{p, i}) {
					t.Errorf("Put(%d, %d) = false, want true", p, i)
				}
			}
		})
	}
	go func() {
		wg.Wait()
		b.Close()
	}()
	var batch []element
	for range ready {
		batch = b.Take(batch)
		for _, e := range batch {
			if e.n != next[e.producer] {
				t.Fatalf("producer %d: element %d came where %d was due", e.producer, e.n, next[e.producer])
			}
			next[e.producer]++
		}
	}
	for p, n := range next {
		if n != each {
			t.Errorf("producer %d: %d elements arrived, want %d", p, n, each)
		}
	}
	if b.Total() != producers*each {
		t.Errorf("Total = %d, want %d", b.Total(), producers*each)
	}
}

// Put returns although nobody consumes.
func TestPutDoesNotWaitForTheConsumer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b scstate.Buffer[int]
		b.Ready()
		for i := range 10_000 {
			b.Put(i) // A Put that waited would be a deadlock of the bubble.
		}
		if b.Len() != 10_000 {
			t.Errorf("Len = %d, want 10000", b.Len())
		}
	})
}

func TestRangeOverReadySeesEverythingAndEnds(t *testing.T) {
	drain := func(b *scstate.Buffer[int]) []int {
		var all, batch []int
		for range b.Ready() {
			batch = b.Take(batch)
			all = append(all, batch...)
		}
		return all
	}
	for name, fill := range map[string]func(b *scstate.Buffer[int]){
		"first asked before anything":       func(b *scstate.Buffer[int]) { b.Ready(); b.Put(1); b.Put(2); b.Close() },
		"first asked with elements queued":  func(b *scstate.Buffer[int]) { b.Put(1); b.Ready(); b.Put(2); b.Close() },
		"first asked after Put, then Close": func(b *scstate.Buffer[int]) { b.Put(1); b.Put(2); b.Ready(); b.Close() },
		"first asked after Close":           func(b *scstate.Buffer[int]) { b.Put(1); b.Put(2); b.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			var b scstate.Buffer[int]
			fill(&b)
			if diff := cmp.Diff([]int{1, 2}, drain(&b)); diff != "" {
				t.Errorf("seen (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("closed and empty", func(t *testing.T) {
		var b scstate.Buffer[int]
		b.Close()
		if got := drain(&b); len(got) != 0 {
			t.Errorf("seen = %v, want nothing", got)
		}
	})
}

func TestReadyIsAlwaysTheSameChannel(t *testing.T) {
	var b scstate.Buffer[int]
	first := b.Ready()
	b.Put(1)
	b.Close()
	if b.Ready() != first {
		t.Error("Ready returned another channel, want the first one")
	}
}

func TestPutDoesNotAllocateInTheSteadyState(t *testing.T) {
	var b scstate.Buffer[scstate.Update]
	var batch []scstate.Update
	cycle := func() {
		for range 100 {
			b.Put(scstate.Update{})
		}
		batch = b.Take(batch)
	}
	cycle()
	cycle()
	if got := testing.AllocsPerRun(100, cycle); got != 0 {
		t.Errorf("allocations per 100 Puts and a Take = %v, want 0", got)
	}
}

// heap returns the bytes of live objects.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestMemoryGoesBackAfterABurst(t *testing.T) {
	const burst = 1_000_000
	fill := func(b *scstate.Buffer[scstate.Update]) {
		for range burst {
			b.Put(scstate.Update{})
		}
	}
	for name, during := range map[string]func(b *scstate.Buffer[scstate.Update]){
		"one burst":                         func(*scstate.Buffer[scstate.Update]) {},
		"another burst during the drain":    fill,
		"one more element during the drain": func(b *scstate.Buffer[scstate.Update]) { b.Put(scstate.Update{}) },
	} {
		t.Run(name, func(t *testing.T) {
			before := heap()
			var b scstate.Buffer[scstate.Update]
			fill(&b)
			batch := b.Take(nil)
			during(&b)
			seen := uint64(0)
			for len(batch) > 0 {
				seen += uint64(len(batch))
				batch = b.Take(batch)
			}
			if grown := heap() - before; grown > 1<<20 {
				t.Errorf("heap grew by %d bytes, want at most 1 MB", grown)
			}
			if seen != b.Total() {
				t.Errorf("elements taken = %d, want %d", seen, b.Total())
			}
			runtime.KeepAlive(batch)
			runtime.KeepAlive(&b)
		})
	}
}

// FuzzBuffer runs random operations beside a plain slice. Each byte is one: its
// low bits say which, its high bits how often.
func FuzzBuffer(f *testing.F) {
	f.Add([]byte{0x04, 0x01, 0xf4, 0x02, 0x01, 0x03, 0x04})
	f.Add([]byte{0xfc, 0xfc, 0x01, 0xfc, 0xfc, 0x01, 0x04, 0x01, 0x01, 0x03, 0x01})
	f.Fuzz(func(t *testing.T, ops []byte) {
		var (
			b           scstate.Buffer[int]
			want, spare []int
			total       int
			closed      bool
		)
		for _, op := range ops {
			switch op & 3 {
			case 0: // Up to some 2,000 elements, past the arrays that are kept.
				for range int(op>>2) * 32 {
					if got := b.Put(total); got == closed {
						t.Fatalf("Put = %v, closed = %v", got, closed)
					}
					if !closed {
						want = append(want, total)
						total++
					}
				}
			case 1, 2: // With or without an array to reuse.
				if op&3 == 2 {
					spare = nil
				}
				spare = b.Take(spare)
				if diff := cmp.Diff(want, append([]int(nil), spare...)); diff != "" {
					t.Fatalf("Take (-want +got):\n%s", diff)
				}
				want = nil
			case 3:
				b.Close()
				closed = true
			}
			if b.Len() != len(want) || b.Total() != uint64(total) {
				t.Fatalf("Len, Total = %d, %d, want %d, %d", b.Len(), b.Total(), len(want), total)
			}
		}
	})
}
