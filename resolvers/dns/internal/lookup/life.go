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
// or a moment ago, or one to a question that it sends to each of them itself. A name that takes long to look up is no reason to think that the
// servers are dead. Alive returns false if ctx is done first, and leaves nothing
// behind.
func (s *Session) Alive(ctx context.Context) bool {
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
	select {
	case <-news:
		return true
	case <-ctx.Done():
		return false
	}
}

// probes tells whether this call of Alive should send questions: one of many
// sessions is enough.
func (s *Session) probes() bool {
	g := s.group
	g.mu.Lock()
	defer g.mu.Unlock()
	if time.Since(g.probed) < time.Second {
		return false
	}
	g.probed = time.Now()
	return true
}
