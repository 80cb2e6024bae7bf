package lookup

import (
	"context"
	"sync"
)

// Session is one caller's share of a cache.
type Session struct {
	// Set by Open, then read-only.
	cache *Cache
	key   string
	group *group

	mu     sync.Mutex // guards the fields below
	asked  map[Question]bool
	closed bool
}

// Ask returns what is known about q if that is usable, and looks it up
// otherwise; the result of a look-up counts even if it is not usable. usable is
// called with a lock held and must return at once.
//
// When ctx is done first, the result's Err is ctx's.
func (s *Session) Ask(ctx context.Context, q Question, usable func(Result) bool) Result {
	e := s.hold(q)
	if e == nil {
		return Result{Err: context.Canceled}
	}
	r, f := s.group.join(q, e, usable)
	if f == nil {
		return r
	}
	defer s.group.leave(e, f)
	select {
	case <-f.done:
		return f.result
	case <-ctx.Done():
		return Result{Err: ctx.Err()}
	}
}

// hold makes sure that q's entry lives as long as the session, or until Keep. It
// returns nil after Close.
func (s *Session) hold(q Question) *entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	g := s.group
	g.mu.Lock()
	defer g.mu.Unlock()
	e := g.entries[q]
	if e == nil {
		e = &entry{}
		g.entries[q] = e
	}
	if !s.asked[q] {
		s.asked[q] = true
		e.sessions++
	}
	return e
}

// Keep forgets all questions but those that keep wants, and their results if no
// other session has asked them.
func (s *Session) Keep(keep func(Question) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.group.mu.Lock()
	defer s.group.mu.Unlock()
	for q := range s.asked {
		if !keep(q) {
			s.forgetLocked(q)
		}
	}
}

// forgetLocked needs both locks.
func (s *Session) forgetLocked(q Question) {
	delete(s.asked, q)
	e := s.group.entries[q]
	if e.sessions--; e.sessions == 0 {
		delete(s.group.entries, q)
	}
}

// Close ends the session. A call of Ask that is under way goes on until its
// context is done. Close may be called more than once.
func (s *Session) Close() {
	s.Keep(func(Question) bool { return false })
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.closed = true
	s.cache.release(s.key, s.group)
}
