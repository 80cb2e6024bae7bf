package v1adapter

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/evenkeel-grpc/evenkeel/balancers/v1adapter/naming"
)

var (
	errBalancerClosed = errors.New("grpc: balancer is closed")
	errNoAddress      = status.Error(codes.Unavailable, "there is no address available")
)

// RoundRobin returns the v1 balancer that gives RPCs to the connected addresses
// in turn, in the order in which r added them. It keeps the last addresses when
// the watcher returns an error. With a nil resolver the target is the only
// address. The result serves one channel.
func RoundRobin(r naming.Resolver) Balancer {
	return &roundRobin{resolver: r, up: make(map[Address]*connection), woken: make(chan struct{})}
}

// roundRobin implements Balancer.
type roundRobin struct {
	// Set once.
	resolver naming.Resolver

	mu      sync.Mutex // guards the fields below
	started bool
	closed  bool
	watcher naming.Watcher
	lists   chan []Address // to Notify; nil without a resolver
	turn    rotation
	up      map[Address]*connection
	woken   chan struct{} // closed when a waiting Get should look again
}

// connection is one Up, told by its pointer from a later one to the same
// address.
type connection struct{ addr Address }

// Start resolves the target and follows it until Close.
func (b *roundRobin) Start(target string, _ BalancerConfig) error {
	if err := b.begin(target); err != nil || b.resolver == nil {
		return err
	}
	w, err := b.resolver.Resolve(target) // It may block, so without the lock.
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case err != nil:
		b.started = false // It may be tried again.
		return err
	case b.closed:
		go w.Close()
		return ErrClientConnClosing
	}
	b.watcher, b.lists = w, make(chan []Address, 1) // one: the newest list
	go b.watch(w)
	return nil
}

// begin claims the balancer for one channel.
func (b *roundRobin) begin(target string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed:
		return ErrClientConnClosing
	case b.started:
		return fmt.Errorf("v1adapter: RoundRobin started again, for target %q: want one for each channel", target)
	}
	b.started = true
	if b.resolver == nil {
		b.turn.add(Address{Addr: target})
	}
	return nil
}

// watch passes on what the watcher says, until it returns an error.
func (b *roundRobin) watch(w naming.Watcher) {
	for {
		updates, err := w.Next()
		if err != nil {
			logger.Warningf("RoundRobin: the naming.Watcher has stopped, the last addresses stay: %v", err)
			return
		}
		if !b.update(updates) {
			return
		}
	}
}

// update applies changes and sends the list that they make. It returns false
// after Close.
func (b *roundRobin) update(updates []*naming.Update) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, u := range updates {
		b.turn.apply(u)
	}
	if b.closed {
		return false
	}
	select {
	case <-b.lists: // Nobody has read the last one, and now nobody needs to.
	default:
	}
	b.lists <- b.turn.list()
	return true
}

// Up notes a connection and wakes the RPCs that wait for one.
func (b *roundRobin) Up(addr Address) func(error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := &connection{addr}
	b.up[addr] = c
	b.wakeLocked()
	return func(error) { b.down(c) }
}

func (b *roundRobin) down(c *connection) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.up[c.addr] == c {
		delete(b.up, c.addr)
	}
}

func (b *roundRobin) wakeLocked() {
	close(b.woken)
	b.woken = make(chan struct{})
}

// Get returns the next connected address. Without one it waits if opts say so,
// and otherwise returns the next address of all.
func (b *roundRobin) Get(ctx context.Context, opts BalancerGetOptions) (Address, func(), error) {
	for {
		addr, woken, err := b.next(opts)
		if woken == nil {
			return addr, nil, err
		}
		select {
		case <-ctx.Done():
			return Address{}, nil, ctx.Err()
		case <-woken:
		}
	}
}

// next is one try of Get. It returns a channel if Get is to wait until that is
// closed.
func (b *roundRobin) next(opts BalancerGetOptions) (Address, <-chan struct{}, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return Address{}, nil, ErrClientConnClosing
	}
	if addr, ok := b.turn.nextWhere(b.connectedLocked); ok {
		return addr, nil, nil
	}
	if opts.BlockingWait {
		return Address{}, b.woken, nil
	}
	addr, ok := b.turn.next()
	if !ok {
		return Address{}, nil, errNoAddress
	}
	return addr, nil, nil
}

func (b *roundRobin) connectedLocked(addr Address) bool { return b.up[addr] != nil }

// Notify returns the channel of the lists, nil without a resolver.
func (b *roundRobin) Notify() <-chan []Address {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lists
}

// Close ends the watch, every Get that waits, and the lists.
func (b *roundRobin) Close() error {
	w, err := b.shut()
	if w != nil {
		w.Close() // It may block, so without the lock.
	}
	return err
}

func (b *roundRobin) shut() (naming.Watcher, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, errBalancerClosed
	}
	b.closed = true
	b.wakeLocked()
	if b.lists != nil {
		close(b.lists)
	}
	return b.watcher, nil
}
