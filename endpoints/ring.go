package endpoints

import (
	"math/rand/v2"
	"sync/atomic"

	"google.golang.org/grpc/balancer"

	"github.com/evenkeel-grpc/evenkeel/internal/leaf"
)

// minSlots is the smallest array of a Ring.
const minSlots = 8

// mixed is up to how many endpoints stand in random order. More would cost picks
// their locality: neighbours in the ring are neighbours in memory if they became
// READY one after the other. In a larger ring, that the engine begins to connect
// at a random endpoint does the rest.
const mixed = 64

// firstPos is where positions begin, and not at 0: start lies before the position
// by the number of endpoints at most, and must not go below 0.
const firstPos = 1 << 31

// Ring holds the connections of the READY endpoints, and gives them out in
// turns. Next may be called from any goroutine while the engine changes the ring
// in place: it neither waits nor allocates.
//
// A turn has at most as many picks as endpoints were READY when it began. An
// endpoint that comes, or comes back, waits for the next turn, and one that
// stays is picked exactly once in each, however many others come and go. So it
// waits for at most 2n-1 picks, n being the largest number of READY endpoints
// meanwhile. A pick that overlaps a change may repeat an endpoint, or come before one
// that was due; none that stays is ever out of reach. Newcomers to a small ring go
// to a random place; the order then stays until the next change.
type Ring struct {
	pos atomic.Uint64 // of the last pick
	_   [56]byte      // keeps readers of cur off the cache line that picks write
	cur atomic.Pointer[slots]

	// Only the engine uses these.
	start uint64 // the position of the pick that the turn's first slot was for
	empty uint64 // the position when the ring was last empty
}

// slots is the array of one Ring. It is replaced when it has to grow or shrink.
//
// Its first n slots are in use: those of the endpoints that are done for this
// turn, because they were picked or have come since, then those that the turn
// still has to pick, in the order of the picks. The last that was picked is the
// last of those that are done, so that it does not begin the next turn too.
type slots struct {
	// state is n in the low half, and in the high half what to add to a position,
	// modulo n, for its slot: together, because a pick needs both from one moment.
	state atomic.Uint64
	conn  []atomic.Pointer[leaf.Conn]
}

func newRing() *Ring {
	r := &Ring{}
	r.pos.Store(firstPos)
	r.cur.Store(newSlots(minSlots))
	return r
}

func newSlots(n int) *slots { return &slots{conn: make([]atomic.Pointer[leaf.Conn], n)} }

// Next moves on by one endpoint and returns its SubConn, or nil if none is
// READY.
func (r *Ring) Next() balancer.SubConn {
	pos := r.pos.Add(1)
	s := r.cur.Load()
	for {
		n, offset := s.load()
		if n == 0 {
			return nil
		}
		if c := s.conn[slot(pos, offset, n)].Load(); c != nil {
			return c.SubConn()
		}
		// The slot was vacated after the load, which by now would say so.
	}
}

// slot returns (pos + offset) modulo n. A division of 32 bits, which does for
// the first two billion picks, is faster on many processors.
func slot(pos uint64, offset, n uint32) uint32 {
	i := pos + uint64(offset)
	if i>>32 == 0 {
		return uint32(i) % n
	}
	return uint32(i % uint64(n))
}

// Len returns the number of READY endpoints.
func (r *Ring) Len() int {
	n, _ := r.cur.Load().load()
	return int(n)
}

// add puts c among those that are done for this turn, in a small ring not always
// at the end: clients that start together must not all begin with the same
// endpoint. Only the engine calls it.
func (r *Ring) add(c *leaf.Conn) {
	s := r.cur.Load()
	n, _ := s.load()
	if int(n) == len(s.conn) {
		s = r.resize(s, 2*int(n))
	}
	free := r.done(n)
	// Picks go on meanwhile. So no slot in use is ever empty, and no endpoint that
	// stays is ever in none: at each step one is in two.
	s.put(n, c)
	s.move(free, n) // The first that is left to pick becomes the last.
	r.start--
	r.store(s, n+1)
	if free > 0 && r.pos.Load() != r.empty {
		s.move(free-1, free) // The last that was picked stays the last that is done.
		free--
	}
	place := free
	if free < mixed {
		place = rand.Uint32N(free + 1)
	}
	s.move(place, free)
	s.put(place, c)
}

// remove takes c out. Only the engine calls it.
func (r *Ring) remove(c *leaf.Conn) {
	s := r.cur.Load()
	n, _ := s.load()
	if len(s.conn) > minSlots && int(n) <= len(s.conn)/4 {
		s = r.resize(s, len(s.conn)/2)
	}
	hole := uint32(c.Slot)
	if done := r.done(n); hole < done {
		if hole < done-1 { // The last that was picked stays the last that is done.
			s.move(done-2, hole)
			s.move(done-1, done-2)
		}
		hole = done - 1
		r.start++
	}
	s.move(n-1, hole)
	r.store(s, n-1)
	s.conn[n-1].Store(nil)
}

// done returns how many of n endpoints are done for the turn that the last pick
// was in. It lets start catch up with the turns that have ended since the last
// change.
func (r *Ring) done(n uint32) uint32 {
	pos := r.pos.Load()
	if n == 0 {
		r.start, r.empty = pos+1, pos
	}
	done := pos + 1 - r.start
	if done <= uint64(n) {
		return uint32(done)
	}
	turns := (done - 1) / uint64(n)
	r.start += turns * uint64(n)
	return uint32(done - turns*uint64(n))
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

// store changes the number of slots in use to n, the first of them that of the
// pick at start.
func (r *Ring) store(s *slots, n uint32) {
	var offset uint32
	if n > 0 {
		offset = n - slot(r.start, 0, n)
	}
	s.state.Store(uint64(offset)<<32 | uint64(n))
}

func (s *slots) put(to uint32, c *leaf.Conn) {
	c.Slot = int32(to)
	s.conn[to].Store(c)
}

func (s *slots) move(from, to uint32) {
	if from != to {
		s.put(to, s.conn[from].Load())
	}
}

func (s *slots) load() (n, offset uint32) {
	v := s.state.Load()
	return uint32(v), uint32(v >> 32)
}
