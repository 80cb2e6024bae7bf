package endpoints

import (
	"math/rand/v2"
	"sync/atomic"

	"google.golang.org/grpc/balancer"

	"github.com/evenkeel-grpc/evenkeel/internal/leaf"
)

// minSlots is the smallest array of a Ring.
const minSlots = 8

// Ring holds the connections of the READY endpoints, in the order in which they
// became READY, and a position in it. Next may be called from any goroutine
// while the engine changes the ring in place: it neither waits nor allocates.
//
// A lost endpoint's place is taken by the last one, and the position is kept
// across changes, so a turn goes on where it was.
type Ring struct {
	pos atomic.Uint32 // of the last pick, before the offset of the array
	_   [60]byte      // keeps readers of cur off the cache line that picks write
	cur atomic.Pointer[slots]
}

// slots is the array of one Ring. It is replaced when it has to grow or shrink.
type slots struct {
	// state is the number of slots in use in the low half, and in the high half
	// what to add to pos: together, because a pick needs both from one moment.
	state atomic.Uint64
	conn  []atomic.Pointer[leaf.Conn]
}

func newRing() *Ring {
	r := &Ring{}
	// Clients that start together must not all begin with the same endpoint.
	r.pos.Store(rand.Uint32())
	r.cur.Store(newSlots(minSlots))
	return r
}

func newSlots(n int) *slots { return &slots{conn: make([]atomic.Pointer[leaf.Conn], n)} }

// Next moves on by one endpoint and returns its SubConn, or nil if none is
// READY.
func (r *Ring) Next() balancer.SubConn {
	i := r.pos.Add(1)
	s := r.cur.Load()
	for {
		n, offset := s.load()
		if n == 0 {
			return nil
		}
		if c := s.conn[(i+offset)%n].Load(); c != nil {
			return c.SubConn()
		}
		// The slot was vacated after the load, which by now would say so.
	}
}

// Len returns the number of READY endpoints.
func (r *Ring) Len() int {
	n, _ := r.cur.Load().load()
	return int(n)
}

// add appends c. Only the engine calls it.
func (r *Ring) add(c *leaf.Conn) {
	s := r.cur.Load()
	n, _ := s.load()
	if int(n) == len(s.conn) {
		s = r.resize(s, 2*int(n))
	}
	c.Slot = int32(n)
	s.conn[n].Store(c)
	r.store(s, n, n+1)
}

// remove takes c out. Only the engine calls it.
func (r *Ring) remove(c *leaf.Conn) {
	s := r.cur.Load()
	n, _ := s.load()
	if len(s.conn) > minSlots && int(n) <= len(s.conn)/4 {
		s = r.resize(s, len(s.conn)/2)
	}
	last := s.conn[n-1].Load()
	last.Slot = c.Slot
	s.conn[c.Slot].Store(last)
	r.store(s, n, n-1)
	s.conn[n-1].Store(nil)
}

// resize moves the ring to an array of the given size.
func (r *Ring) resize(old *slots, size int) *slots {
	s := newSlots(size)
	n, _ := old.load()
	for i := range n {
		s.conn[i].Store(old.conn[i].Load())
	}
	s.state.Store(old.state.Load())
	r.cur.Store(s)
	return s
}

// store changes the length from n to m and the offset so that the position
// stays.
func (r *Ring) store(s *slots, n, m uint32) {
	_, offset := s.load()
	pos := r.pos.Load()
	if n > 0 {
		offset = (pos+offset)%n - pos
	}
	s.state.Store(uint64(offset)<<32 | uint64(m))
}

func (s *slots) load() (n, offset uint32) {
	v := s.state.Load()
	return uint32(v), uint32(v >> 32)
}
