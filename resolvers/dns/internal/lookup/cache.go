package lookup

import (
	"context"
	"sync"
	"time"
)

// Shared is the process's cache.
var Shared = &Cache{}

// Cache shares look-ups between sessions. The zero value is an empty one.
type Cache struct {
	// Exchange takes the place of the network, in tests. nil means the network.
	Exchange exchanger

	mu     sync.Mutex // guards the field below
	groups map[string]*group
}

// group is what the sessions with the same servers share.
type group struct {
	// Set at the beginning, then read-only.
	asker     asker
	transport *transport // nil if there is no network
	life      life

	sessions int // guarded by the cache's mu

	mu      sync.Mutex // guards the fields below
	entries map[Question]*entry
	probed  time.Time // when a session last looked for a sign of life
}

// entry is what is known about one question.
type entry struct {
	sessions int // that have asked for it
	known    bool
	last     Result
	flight   *flight // nil if no look-up is under way
}

// flight is a look-up that is under way.
type flight struct {
	// Set at the beginning, then read-only.
	cancel context.CancelFunc
	done   chan struct{} // closed when result is there and the goroutine ends
	result Result

	waiters int // guarded by the group's mu
}

// Open returns a session with servers. It does no I/O.
func (c *Cache) Open(servers Servers) *Session {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := servers.key()
	g := c.groups[key]
	if g == nil {
		g = c.newGroup(servers)
		if c.groups == nil {
			c.groups = map[string]*group{}
		}
		c.groups[key] = g
	}
	g.sessions++
	return &Session{cache: c, key: key, group: g, asked: map[Question]bool{}}
}

func (c *Cache) newGroup(servers Servers) *group {
	g := &group{entries: map[Question]*entry{}}
	g.asker.servers = servers
	g.asker.exchange = c.Exchange
	if c.Exchange == nil {
		g.transport = newTransport(servers, g.life.sign)
		g.asker.exchange = g.transport.exchange
	}
	g.asker.heard = g.life.sign
	return g
}

// release gives up one session's share of a group.
func (c *Cache) release(key string, g *group) {
	c.mu.Lock()
	defer c.mu.Unlock()
	g.sessions--
	if g.sessions > 0 {
		return
	}
	delete(c.groups, key)
	if g.transport != nil {
		g.transport.pool.close()
	}
}

// join returns a usable result, or the look-up to wait for. e must be held by a
// session of the caller's.
func (g *group) join(q Question, e *entry, usable func(Result) bool) (Result, *flight) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if e.known && usable(e.last) {
		return e.last, nil
	}
	if e.flight == nil {
		e.flight = g.startLocked(q, e)
	}
	e.flight.waiters++
	return Result{}, e.flight
}

// startLocked begins a look-up. Whoever asked for it may be gone before it ends,
// so it has a context of its own.
func (g *group) startLocked(q Question, e *entry) *flight {
	ctx, cancel := context.WithCancel(context.Background())
	f := &flight{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(f.done)
		defer cancel()
		f.result = g.asker.ask(ctx, q)
		g.land(e, f)
	}()
	return f
}

// land makes the result of a look-up known, unless nobody wanted it any more.
func (g *group) land(e *entry, f *flight) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if e.flight != f {
		return
	}
	e.flight = nil
	e.known = true
	e.last = f.result
}

// leave gives up waiting. The last to leave ends the look-up and waits for that.
func (g *group) leave(e *entry, f *flight) {
	g.mu.Lock()
	f.waiters--
	last := f.waiters == 0
	if last && e.flight == f {
		e.flight = nil
	}
	g.mu.Unlock()
	if last {
		f.cancel()
		<-f.done
	}
}
