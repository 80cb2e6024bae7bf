package scstate

import (
	"slices"
	"sync"
)

// keepCap is the number of elements up to which an emptied array is always
// kept for reuse. A larger one is kept only while bursts of its size go on.
const keepCap = 256

// Buffer is an unbounded first-in first-out queue between producers that must
// never wait and one consumer that may be slow. Elements of one producer come
// out in the order in which it put them; none is lost or doubled.
//
// The consumer takes everything at once by swapping slices, so an element costs
// amortised constant time however long the queue grows, and no allocation once
// two arrays of the usual size exist. After a burst the next Takes, which find
// the queue shorter, release its memory.
//
// The zero value is an empty, open Buffer. It must not be copied after use. All
// methods may be called concurrently, but two concurrent consumers would share
// the order between them.
type Buffer[T any] struct {
	mu     sync.Mutex // guards the fields below
	items  []T
	total  uint64
	closed bool
	ready  chan struct{} // nil until Ready is called
}

// Put appends v and returns true. After Close it drops v and returns false. It
// never waits for the consumer.
func (b *Buffer[T]) Put(v T) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.putLocked(v)
}

// Take removes all that is queued and returns it, oldest first; the result is
// empty if nothing is queued. It does not wait.
//
// The caller owns the result until it passes it back as spare, the array for
// elements to come; spare's elements are cleared then. A nil spare is allowed.
func (b *Buffer[T]) Take(spare []T) []T {
	clear(spare)
	b.mu.Lock()
	defer b.mu.Unlock()
	return swap(&b.items, spare)
}

// trim returns s, which has to be empty, or nil if its array is much larger
// than the n elements that the queue last held.
func trim[T any](s []T, n int) []T {
	if cap(s) > keepCap && cap(s) > 4*n {
		return nil
	}
	return s
}

// Ready returns a channel that receives whenever there may be something to
// take. It is closed by Close, after which one more Take returns what was left:
//
//	for range buf.Ready() {
//		batch = buf.Take(batch)
//	}
//
// therefore sees every element and ends. The channel is the same on every call.
func (b *Buffer[T]) Ready() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ready == nil {
		b.ready = make(chan struct{}, 1)
		if len(b.items) > 0 {
			b.ready <- struct{}{} // Also when closed; the channel has room.
		}
		if b.closed {
			close(b.ready)
		}
	}
	return b.ready
}

// Close makes every later Put return false. What is queued can still be taken.
// Closing twice is harmless.
func (b *Buffer[T]) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closeLocked()
}

// Len returns how many elements are queued.
func (b *Buffer[T]) Len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.items)
}

// Total returns how many elements were ever accepted by Put.
func (b *Buffer[T]) Total() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.total
}

func (b *Buffer[T]) putLocked(v T) bool {
	if b.closed {
		return false
	}
	if n := len(b.items); n == cap(b.items) && n >= 256 {
		// From here on append grows by a quarter, which copies a burst five times.
		b.items = slices.Grow(b.items, n)
	}
	b.items = append(b.items, v)
	b.total++
	select {
	case b.ready <- struct{}{}:
	default: // Nobody asked for it, or one token stands for everything queued.
	}
	return true
}

// swap returns what is queued, and leaves spare, which is cleared already, in its
// place.
func swap[T any](queued *[]T, spare []T) []T {
	batch := *queued
	*queued = trim(spare[:0], len(batch))
	if len(batch) == 0 {
		return trim(batch, 0)
	}
	return batch
}

func (b *Buffer[T]) closeLocked() {
	if b.closed {
		return
	}
	b.closed = true
	if b.ready != nil {
		close(b.ready)
	}
}
