package lookup

import (
	"context"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// life notes when servers were last heard of. The zero value has heard nothing.
type life struct {
	mu   sync.Mutex // guards the fields below
	last time.Time
	news chan struct{} // closed at the next sign of life; nil if nobody waits
}

// sign is called for every sign of life.
func (l *life) sign() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = time.Now()
	if l.news != nil {
		close(l.news)
		l.news = nil
	}
}

// since tells whether there was a sign of life after t, and else returns a
// channel that is closed at the next one.
func (l *life) since(t time.Time) (bool, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last.After(t) {
		return true, nil
	}
	if l.news == nil {
		l.news = make(chan struct{})
	}
	return false, l.news
}

// probe is a question that every server answers at once, with whatever code: the
// name servers of the root are in every cache.
var probe = Question{Name: ".", Type: Type(dns.TypeNS)}

// heardRecently is how long a sign of life counts.
const heardRecently = 5 * time.Second

// Alive waits for a sign of life of any of the servers: an answer to anybody, now
// or a moment ago, or one to a question that it sends to each of them itself. A
// name that takes long to look up is no reason to think that the servers are
// dead. Alive returns false if there is none within the given time, or ctx is
// done first, and leaves nothing behind.
func (s *Session) Alive(ctx context.Context, within time.Duration) bool {
	g := s.group
	alive, news := g.life.since(time.Now().Add(-heardRecently))
	if alive {
		return true
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	if s.probes() {
		for _, server := range g.asker.servers.Addrs {
			wg.Go(func() { _, _ = g.asker.hear(ctx, server, probe) })
		}
	}
	return heard(ctx, news, within-catchUp) || heard(ctx, news, catchUp)
}

// catchUp is the last part of the time that a server has for a sign of life. It
// is measured by a timer of its own: if the process was halted, for lack of a
// processor, then answers have come meanwhile that nobody has read yet.
const catchUp = 5 * time.Millisecond

// heard waits for news. It returns false if there is none within the given time,
// or ctx is done first.
func heard(ctx context.Context, news <-chan struct{}, within time.Duration) bool {
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-news:
		return true
	case <-timer.C:
		return false
	case <-ctx.Done():
		return false
	}
}

// probeInterval is the least time between two probes of the same servers.
const probeInterval = 50 * time.Millisecond

// probes tells whether this call of Alive should send questions: one of many
// sessions is enough.
func (s *Session) probes() bool {
	g := s.group
	g.mu.Lock()
	defer g.mu.Unlock()
	if time.Since(g.probed) < probeInterval {
		return false
	}
	g.probed = time.Now()
	return true
}
