package watch

import (
	"context"
	"sync"

	"google.golang.org/grpc/resolver"
)

var _ resolver.Resolver = (*Watcher)(nil)

// Watcher is a running resolver: what one channel has of a source.
type Watcher struct {
	// Set by Start, then read-only.
	hub    *hub
	leave  func() // ends the part in the hub; to be called once
	cancel context.CancelFunc
	done   chan struct{} // closed when the goroutine is gone
	wake   chan struct{} // capacity 1: there are news
	once   sync.Once     // of Close

	// Owned by the goroutine.
	channel *channel

	mu   sync.Mutex // guards the field below
	news news
}

// subscribe starts a watcher that hears of everything from what h knows now on.
func subscribe(h *hub, cc resolver.ClientConn, cfg Config, leave func()) *Watcher {
	ctx, cancel := context.WithCancel(context.Background())
	w := &Watcher{
		hub:     h,
		leave:   leave,
		cancel:  cancel,
		done:    make(chan struct{}),
		wake:    make(chan struct{}, 1),
		channel: newChannel(cc, cfg),
	}
	h.add(w)
	go w.loop(ctx)
	return w
}

// ResolveNow ends the wait for the next run early if the source has failed. A
// source that runs needs no hint, unless it is a [Hastener].
func (w *Watcher) ResolveNow(resolver.ResolveNowOptions) { w.hub.resolveNow() }

// Close returns when the watcher's goroutine is gone and, if no other channel
// shares the source, the source's as well. It may be called more than once.
func (w *Watcher) Close() {
	w.once.Do(func() {
		w.cancel()
		<-w.done
		w.hub.remove(w)
		w.leave()
	})
}

// post changes what the channel has to hear. It never waits for the channel.
func (w *Watcher) post(change func(*news)) {
	w.mu.Lock()
	change(&w.news)
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *Watcher) take() news {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := w.news
	w.news = news{}
	return n
}

func (w *Watcher) loop(ctx context.Context) {
	defer close(w.done)
	defer w.channel.release()
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.wake:
		case <-w.channel.grace.C:
			w.channel.graceOver()
		}
		if ctx.Err() != nil {
			return
		}
		n := w.take()
		n.tell(w.channel)
	}
}
