package scstate

// queue is what is to be done with the policy, and whether somebody holds it.
// The holder, and nobody else, runs the policy. What is queued and whether the
// queue is held change in one step, under the Buffer's lock. So
//
//   - a queue that nobody holds is empty, and
//   - what is put into a held queue will be run: the holder goes on until next
//     or release finds the queue empty and ends the hold.
type queue struct {
	changes Buffer[Update]
	calls   []call // guarded by changes.mu
	held    bool   // guarded by changes.mu

	taken batch // by the last next; touched only by the holder
}

// call is a call into the policy that is not a change of a SubConn.
type call struct {
	after int // how many of the changes come before it
	fn    func()
}

// batch is what was queued at one time.
type batch struct {
	changes []Update
	calls   []call // in order
}

func (b batch) empty() bool { return len(b.changes) == 0 && len(b.calls) == 0 }

// claim lets the caller hold the queue, unless it is held or closed already.
func (q *queue) claim() bool {
	q.changes.mu.Lock()
	defer q.changes.mu.Unlock()
	if q.held || q.changes.closed {
		return false
	}
	q.held = true
	return true
}

// put appends a change, unless the queue is closed. If nobody held the queue, the
// caller does now, which hold says.
func (q *queue) put(u Update) (ok, hold bool) {
	q.changes.mu.Lock()
	defer q.changes.mu.Unlock()
	if !q.changes.putLocked(u) {
		return false, false
	}
	return true, q.holdLocked()
}

// putCall is put for a call.
func (q *queue) putCall(fn func()) (ok, hold bool) {
	q.changes.mu.Lock()
	defer q.changes.mu.Unlock()
	return q.putCallLocked(fn)
}

// putLast is putCall, and closes the queue behind the call.
func (q *queue) putLast(fn func()) (ok, hold bool) {
	q.changes.mu.Lock()
	defer q.changes.mu.Unlock()
	defer q.changes.closeLocked()
	return q.putCallLocked(fn)
}

// next returns what is queued; it is valid until the next call. If there is
// nothing, next ends the hold.
func (q *queue) next() batch {
	clear(q.taken.changes)
	clear(q.taken.calls)
	q.changes.mu.Lock()
	defer q.changes.mu.Unlock()
	q.taken = batch{swap(&q.changes.items, q.taken.changes), swap(&q.calls, q.taken.calls)}
	q.held = !q.taken.empty()
	return q.taken
}

// release ends the hold if nothing is queued. Otherwise it returns false, and the
// caller holds the queue still.
func (q *queue) release() bool {
	q.changes.mu.Lock()
	defer q.changes.mu.Unlock()
	q.held = len(q.changes.items) > 0 || len(q.calls) > 0
	return !q.held
}

func (q *queue) isClosed() bool {
	q.changes.mu.Lock()
	defer q.changes.mu.Unlock()
	return q.changes.closed
}

func (q *queue) putCallLocked(fn func()) (ok, hold bool) {
	if q.changes.closed {
		return false, false
	}
	q.calls = append(q.calls, call{len(q.changes.items), fn})
	return true, q.holdLocked()
}

// holdLocked lets the caller hold the queue if nobody does.
func (q *queue) holdLocked() bool {
	was := q.held
	q.held = true
	return !was
}
