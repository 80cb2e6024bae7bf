package register

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// ErrStopped is why nothing will happen any more.
var ErrStopped = errors.New("the registration has ended")

// State is how far a registration has come. Its values are those of the public
// types of the same name.
type State int

// See the packages that register.
const (
	Registering State = iota
	Registered
	Retrying
	Draining
	Stopped
)

// Status is what is known of an entry. D is what one source knows besides.
type Status[D any] struct {
	State  State
	Err    error
	Detail D
}

// Book is what a registrar and its keeper know of an entry. W is what is wanted
// of it. Its methods may be called from any goroutine, unless they say otherwise.
type Book[W, D any] struct {
	// Set by Open, then read-only.
	source, name string
	tell         func(before, now Status[D])
	done         chan struct{} // closed when the keeper is gone
	// Of capacity 1: something below has changed that the keeper must act on.
	nudge chan struct{}

	mu       sync.Mutex // guards the fields below
	wanted   W
	version  int           // of wanted, from 1
	written  int           // the version that the source has confirmed
	draining bool          // the entry is to go
	drained  bool          // and is gone
	status   Status[D]     // as of the last change
	changed  chan struct{} // closed on the next change of written, drained or status
}

// Open returns a book for an entry, which errors call by source and name. tell is
// called after each change, one call at a time, from the goroutine of the keeper.
func Open[W, D any](source, name string, wanted W, tell func(before, now Status[D])) *Book[W, D] {
	return &Book[W, D]{
		source:  source,
		name:    name,
		tell:    tell,
		done:    make(chan struct{}),
		nudge:   make(chan struct{}, 1),
		wanted:  wanted,
		version: 1,
		changed: make(chan struct{}),
	}
}

// Name returns that of the entry.
func (b *Book[W, D]) Name() string { return b.name }

// Done returns a channel that is closed when the keeper has ended.
func (b *Book[W, D]) Done() <-chan struct{} { return b.done }

// Nudge returns a channel that is received from by the keeper alone: what is wanted
// may have changed.
func (b *Book[W, D]) Nudge() <-chan struct{} { return b.nudge }

// Status returns what is known of the entry.
func (b *Book[W, D]) Status() Status[D] {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.status
}

// Wanted returns what is wanted, and whether the entry is to go.
func (b *Book[W, D]) Wanted() (wanted W, version int, draining bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.wanted, b.version, b.draining
}

// Written returns the last version that was written, 0 if there was none.
func (b *Book[W, D]) Written() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.written
}

// Ready waits until the entry has been written once.
func (b *Book[W, D]) Ready(ctx context.Context) error {
	return b.wait(ctx, "not registered yet", func() bool { return b.written > 0 })
}

// Update changes what is wanted, unless change returns an error, and waits until
// that is written. change is called with the lock held.
func (b *Book[W, D]) Update(ctx context.Context, change func(W) (W, error)) error {
	version, err := b.set(change)
	if err != nil {
		return fmt.Errorf("%s: Update %q: %w", b.source, b.name, err)
	}
	b.wake()
	return b.wait(ctx, "not updated yet", func() bool { return b.written >= version })
}

func (b *Book[W, D]) set(change func(W) (W, error)) (version int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	wanted, err := change(b.wanted)
	if err != nil {
		return 0, err
	}
	b.wanted = wanted
	b.version++
	return b.version, nil
}

// Drain has the entry removed, and waits until it is.
func (b *Book[W, D]) Drain(ctx context.Context) error {
	b.mu.Lock()
	b.draining = true
	b.mu.Unlock()
	b.wake()
	return b.wait(ctx, "not removed yet", func() bool { return b.drained })
}

func (b *Book[W, D]) wake() {
	select {
	case b.nudge <- struct{}{}:
	default:
	}
}

// wait waits until ok, which is called with the lock held.
func (b *Book[W, D]) wait(ctx context.Context, otherwise string, ok func() bool) error {
	for {
		b.mu.Lock()
		reached, changed, status := ok(), b.changed, b.status
		b.mu.Unlock()
		switch {
		case reached:
			return nil
		case status.State == Stopped:
			return fmt.Errorf("%s: %q: %s: %w", b.source, b.name, otherwise, ErrStopped)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			if status.Err != nil {
				return fmt.Errorf("%s: %q: %s: %w; last error: %w", b.source, b.name, otherwise, ctx.Err(), status.Err)
			}
			return fmt.Errorf("%s: %q: %s: %w", b.source, b.name, otherwise, ctx.Err())
		}
	}
}

// Wrote notes that a version is written. Only the keeper calls it.
func (b *Book[W, D]) Wrote(version int, detail D) {
	b.note(func() {
		b.written = version
		b.status = Status[D]{State: Registered, Detail: detail}
	})
}

// Note changes the status. Only the keeper calls it.
func (b *Book[W, D]) Note(change func(*Status[D])) { b.note(func() { change(&b.status) }) }

// note changes what others can see, and tells them.
func (b *Book[W, D]) note(change func()) {
	b.mu.Lock()
	before := b.status
	change()
	now := b.status
	close(b.changed)
	b.changed = make(chan struct{})
	b.mu.Unlock()
	b.tell(before, now)
}
