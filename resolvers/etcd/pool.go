package etcd

import (
	"context"
	"sync"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// clients are those that connect for all targets with hosts.
var clients pool

// pool keeps one client for all who want to connect in the same way, as long as
// there is anybody. The zero value is ready for use, from any goroutine.
type pool struct {
	mu      sync.Mutex // guards the field below and the users of its entries
	entries map[identity]*pooled
}

// pooled is a client that is being made, was made, or could not be.
type pooled struct {
	users  int
	cancel context.CancelFunc

	done   chan struct{} // closed when the fields below are set
	client *clientv3.Client
	err    error
}

// acquire returns a client and a function to be called when it is not needed any
// more. It waits while the client has to log in.
func (p *pool) acquire(ctx context.Context, id identity) (*clientv3.Client, func(), error) {
	e := p.join(id)
	release := func() { p.leave(id, e) }
	select {
	case <-e.done:
		if e.err == nil {
			return e.client, release, nil
		}
		release()
		return nil, nil, e.err
	case <-ctx.Done():
		release()
		return nil, nil, ctx.Err()
	}
}

func (p *pool) join(id identity) *pooled {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.entries[id]
	if e == nil {
		e = openPooled(id)
		if p.entries == nil {
			p.entries = make(map[identity]*pooled)
		}
		p.entries[id] = e
	}
	e.users++
	return e
}

func openPooled(id identity) *pooled {
	ctx, cancel := context.WithCancel(context.Background())
	e := &pooled{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(e.done)
		e.client, e.err = newClient(ctx, id)
	}()
	return e
}

// leave closes the client after its last user.
func (p *pool) leave(id identity, e *pooled) {
	p.mu.Lock()
	e.users--
	last := e.users == 0
	if last {
		delete(p.entries, id)
	}
	p.mu.Unlock()
	if !last {
		return
	}
	e.cancel()
	<-e.done
	if e.client != nil {
		_ = e.client.Close() // its context is done, which is all that it says
	}
}
