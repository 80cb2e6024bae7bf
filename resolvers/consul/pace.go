package consul

import (
	"context"
	"time"

	"golang.org/x/time/rate"
)

// pacer slows a loop of blocking queries down when Consul does not, in the way
// that its documentation asks for: a token bucket, so that the first answers of
// a burst are passed on at once.
type pacer struct {
	idle *rate.Limiter // of answers that bring nothing new
	news *rate.Limiter // of those that do
	next time.Time     // when the next query may be sent
}

const (
	// An answer without news may be followed by a query at once, twice in a row;
	// then by one a second.
	idleRate, idleBurst = rate.Limit(1), 2
	// Answers with news are limited too, to what no channel can notice.
	newsRate, newsBurst = rate.Limit(50), 100
)

func newPacer() *pacer {
	return &pacer{
		idle: rate.NewLimiter(idleRate, idleBurst),
		news: rate.NewLimiter(newsRate, newsBurst),
	}
}

// heard takes note of an answer.
func (p *pacer) heard(news bool) {
	limiter := p.idle
	if news {
		p.idle = rate.NewLimiter(idleRate, idleBurst)
		limiter = p.news
	}
	p.next = time.Now().Add(limiter.Reserve().Delay())
}

// wait returns when the next query may be sent, or ctx's error.
func (p *pacer) wait(ctx context.Context) error { return sleep(ctx, time.Until(p.next)) }

// sleep returns ctx's error if that is done before the time is over.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// nextIndex returns the index to wait for a change from, after an answer with
// index got to a query with index last, as Consul documents it: one that went
// backwards is forgotten, and one of 0, which would not wait, is a bug.
func nextIndex(last, got uint64) uint64 {
	if got < last {
		return 0
	}
	return max(got, 1)
}
