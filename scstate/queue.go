package scstate

// queue is the Buffer of a feed, and whether somebody holds it. The holder, and
// nobody else, runs the policy. Buffer and holder change in one step, under the
// Buffer's lock. So
//
//   - a queue that nobody holds is empty, and
//   - what is put into a held queue will be run: the holder goes on until next
//     or release finds the queue empty and ends the hold.
type queue struct {
	buf   Buffer[entry]
	held  bool    // guarded by buf.mu
	spare []entry // touched only by the holder
}

// entry is one call into the policy: a change of a SubConn, or anything else.
type entry struct {
	change Update
	call   func() // nil for a change
}

// claim lets the caller hold the queue, unless it is held or closed already.
func (q *queue) claim() bool {
	q.buf.mu.Lock()
	defer q.buf.mu.Unlock()
	if q.held || q.buf.closed {
		return false
	}
	q.held = true
	return true
}

// put appends e, unless the queue is closed. If nobody held the queue, the caller
// does now, which hold says.
func (q *queue) put(e entry) (ok, hold bool) {
	q.buf.mu.Lock()
	defer q.buf.mu.Unlock()
	return q.putLocked(e)
}

// putLast is put, and closes the queue behind e.
func (q *queue) putLast(e entry) (ok, hold bool) {
	q.buf.mu.Lock()
	defer q.buf.mu.Unlock()
	defer q.buf.closeLocked()
	return q.putLocked(e)
}

// next returns what is queued, oldest first; it is valid until the next call. If
// there is nothing, it ends the hold.
func (q *queue) next() []entry {
	clear(q.spare)
	q.buf.mu.Lock()
	defer q.buf.mu.Unlock()
	q.spare = q.buf.takeLocked(q.spare)
	q.held = len(q.spare) > 0
	return q.spare
}

// release ends the hold if nothing is queued. Otherwise it returns false, and the
// caller holds the queue still.
func (q *queue) release() bool {
	q.buf.mu.Lock()
	defer q.buf.mu.Unlock()
	q.held = len(q.buf.items) > 0
	return !q.held
}

func (q *queue) isClosed() bool {
	q.buf.mu.Lock()
	defer q.buf.mu.Unlock()
	return q.buf.closed
}

func (q *queue) putLocked(e entry) (ok, hold bool) {
	if !q.buf.putLocked(e) {
		return false, false
	}
	hold = !q.held
	q.held = true
	return true, hold
}
