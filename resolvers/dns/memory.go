package dns

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/evenkeel-grpc/evenkeel/resolvers/dns/internal/lookup"
)

// never is a wait that nobody sees the end of.
const never = 10 * 365 * 24 * time.Hour

// which says which of the questions of a round are asked again.
type which int

const (
	whatIsDue  which = iota
	whatFailed       // and what is due
	whatIsOld        // for a ResolveNow, and what is due
	everything
)

// memory is what a resolver remembers of its questions: the last good answer to
// each, and when it is due again.
type memory struct {
	// Set at the beginning, then read-only.
	params params

	mu      sync.Mutex      // guards the fields below
	session *lookup.Session // nil before and after use
	round   which
	jitter  float64 // the factor of this round
	records map[lookup.Question]*record
}

// record is what is known about one question.
type record struct {
	good     lookup.Result // the last that was no failure
	known    bool          // whether there was one
	err      error         // why the last look-up failed, or nil
	failures int           // look-ups in a row
	seen     time.Time     // when the last result came
	due      time.Time
	used     bool // in this round
}

// answer is what is known about a question.
type answer struct {
	lookup.Result       // the last good one
	err           error // why there is none, or it is not up to date; or nil
}

// open puts another session in the place of the one that it returns.
func (m *memory) open(s *lookup.Session) (old *lookup.Session) {
	m.mu.Lock()
	defer m.mu.Unlock()
	old, m.session = m.session, s
	return old
}

func (m *memory) opened() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.session != nil
}

// begin starts a round. All that follows is in step, so that the records of one
// name stay due together.
func (m *memory) begin(round which) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.round = round
	m.jitter = 0.9 + 0.2*rand.Float64()
	for _, r := range m.records {
		r.used = false
	}
}

// end forgets what the round did not need, and returns when the rest is due.
func (m *memory) end() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	due := time.Now().Add(never)
	for q, r := range m.records {
		if !r.used {
			delete(m.records, q)
		} else if r.due.Before(due) {
			due = r.due
		}
	}
	m.session.Keep(func(q lookup.Question) bool { return m.records[q] != nil })
	return due
}

// ask returns the answer to q, after a look-up if the round asks for it. It may
// be called from several goroutines.
func (m *memory) ask(ctx context.Context, q lookup.Question) answer {
	rec, seen, failures, session := m.use(q)
	if session == nil {
		return m.answer(rec)
	}
	result := session.Ask(ctx, q, func(r lookup.Result) bool {
		return r.At.After(seen) && time.Since(r.At) < m.fresh(r, failures)
	})
	if ctx.Err() == nil {
		m.learn(rec, result)
	}
	return m.answer(rec)
}

// use notes that the round needs q. It returns the session if q is to be looked
// up.
func (m *memory) use(q lookup.Question) (rec *record, seen time.Time, failures int, session *lookup.Session) {
	m.mu.Lock()
	defer m.mu.Unlock()
	rec = m.records[q]
	if rec == nil {
		rec = &record{}
		m.records[q] = rec
	}
	rec.used = true
	if m.againLocked(rec) {
		session = m.session
	}
	return rec, rec.seen, rec.failures, session
}

// againLocked tells whether this round asks a question again.
func (m *memory) againLocked(rec *record) bool {
	now := time.Now()
	switch {
	case m.round == everything, !now.Before(rec.due):
		return true
	case m.round == whatFailed:
		return rec.err != nil
	case m.round == whatIsOld:
		return now.Sub(rec.seen) >= minResolutionInterval
	default:
		return false
	}
}

func (m *memory) learn(rec *record, r lookup.Result) {
	m.mu.Lock()
	defer m.mu.Unlock()
	rec.seen = r.At
	rec.err = r.Err
	wait := m.wait(r, rec.failures)
	if r.Err != nil {
		rec.failures++
	} else {
		rec.good, rec.known, rec.failures = r, true, 0
	}
	rec.due = r.At.Add(time.Duration(m.jitter * float64(wait)))
}

func (m *memory) answer(rec *record) answer {
	m.mu.Lock()
	defer m.mu.Unlock()
	a := answer{Result: rec.good, err: rec.err}
	if !rec.known && rec.err == nil {
		a.err = context.Canceled // it was given up
	}
	return a
}

// oldest returns when the oldest of the answers came that are not about a service
// config.
func (m *memory) oldest() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	oldest := time.Now()
	for q, r := range m.records {
		if q.Type != lookup.TypeTXT && r.seen.Before(oldest) {
			oldest = r.seen
		}
	}
	return oldest
}

// fresh is how old a result may be that another channel has fetched. failures
// counts the look-ups before it that failed.
func (m *memory) fresh(r lookup.Result, failures int) time.Duration {
	switch {
	case r.Err != nil:
		return retryWait(failures)
	case m.params.refresh.every > 0:
		return m.params.refresh.every
	default:
		return min(max(r.TTL, m.params.min), m.params.max)
	}
}

// wait is how long a result is good for.
func (m *memory) wait(r lookup.Result, failures int) time.Duration {
	if r.Err == nil && m.params.refresh.off {
		return never
	}
	return m.fresh(r, failures)
}

// retryWait is the wait after a failure, or an answer without any endpoint, that
// n others came before.
func retryWait(n int) time.Duration {
	return min(minBackoff<<min(n, 10), maxBackoff)
}
