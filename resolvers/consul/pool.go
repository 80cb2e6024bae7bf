package consul

import (
	"sync"
)

// clients are those in use by the resolvers of this process.
var clients pool

// origin is what a client is made from. It can be compared.
type origin struct {
	builder *builder // nil if it has no options
	access  access
}

// pool makes one client for each origin, however many queries use it.
type pool struct {
	mu      sync.Mutex // guards the fields below
	entries map[origin]*pooled
}

// pooled is a client with the number of its users.
type pooled struct {
	*client
	once  sync.Once
	err   error
	users int
}

// acquire returns the client for an origin, and a function that must be called
// when it is not needed any more: with true if it may be the client's fault
// that a request failed, so that whoever comes next gets a new one. acquire may
// read files.
func (p *pool) acquire(from origin) (*client, func(broken bool), error) {
	e := p.enter(from)
	e.once.Do(func() { e.client, e.err = newClient(from) })
	if e.err != nil {
		p.leave(from, e, true)
		return nil, nil, e.err
	}
	return e.client, func(broken bool) { p.leave(from, e, broken) }, nil
}

func (p *pool) enter(from origin) *pooled {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.entries[from]
	if e == nil {
		e = new(pooled)
		if p.entries == nil {
			p.entries = make(map[origin]*pooled)
		}
		p.entries[from] = e
	}
	e.users++
	return e
}

func (p *pool) leave(from origin, e *pooled, broken bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e.users--
	if (broken || e.users == 0) && p.entries[from] == e {
		delete(p.entries, from)
	}
	if e.users == 0 && e.client != nil {
		e.close()
	}
}
