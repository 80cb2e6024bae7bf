package lookup

import (
	"net"
	"sync"
	"time"
)

// idleLimit is how long a connection waits for its next question. Servers close
// theirs after about as long.
const idleLimit = 10 * time.Second

// pool holds connections that are not in use. The zero value is an empty one.
type pool struct {
	mu     sync.Mutex // guards the fields below
	idle   map[string][]*idleConn
	closed bool
}

// idleConn is a connection that closes itself when nobody takes it in time.
type idleConn struct {
	net.Conn
	timer *time.Timer
}

// take returns a connection to server, the one used last, or nil.
func (p *pool) take(server string) net.Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	for list := p.idle[server]; len(list) > 0; list = p.idle[server] {
		last := list[len(list)-1]
		p.idle[server] = list[:len(list)-1]
		if last.timer.Stop() {
			return last.Conn
		}
	}
	return nil
}

// put gives a connection back, which must be good for another question.
func (p *pool) put(server string, conn net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		_ = conn.Close()
		return
	}
	if p.idle == nil {
		p.idle = map[string][]*idleConn{}
	}
	_ = conn.SetDeadline(time.Time{})
	c := &idleConn{Conn: conn}
	c.timer = time.AfterFunc(idleLimit, func() { p.expire(server, c) })
	p.idle[server] = append(p.idle[server], c)
}

// expire closes a connection that nobody has taken.
func (p *pool) expire(server string, c *idleConn) {
	_ = c.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.idle[server]
	for i := range list {
		if list[i] == c {
			p.idle[server] = append(list[:i:i], list[i+1:]...)
			return
		}
	}
}

// close closes all connections, also those that come back later.
func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, list := range p.idle {
		for _, c := range list {
			c.timer.Stop()
			_ = c.Close()
		}
	}
	p.idle = nil
}
