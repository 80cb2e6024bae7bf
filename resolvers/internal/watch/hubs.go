package watch

import (
	"sync"

	"google.golang.org/grpc/resolver"
)

// Hubs runs one source for each key, however many channels ask for it. The zero
// value is ready for use, from any goroutine.
type Hubs[K comparable] struct {
	mu   sync.Mutex // guards the fields below
	hubs map[K]*shared
}

// shared is a hub with the number of its watchers.
type shared struct {
	*hub
	watchers int
}

// Start makes cc hear of the source with the given key: of its last answer and
// its current failure at once, then of all that follows. If no channel uses that
// source now, the one that newSource returns is started; the last Close stops
// it. newSource must be quick.
//
// What cfg says of the source itself counts for the first channel only: Rank,
// the waits. Name, Grace and Logger are each channel's own.
func (h *Hubs[K]) Start(cc resolver.ClientConn, key K, newSource func() Source, cfg Config) *Watcher {
	s := h.join(key, newSource, cfg)
	return subscribe(s.hub, cc, cfg, func() { h.leave(key, s) })
}

func (h *Hubs[K]) join(key K, newSource func() Source, cfg Config) *shared {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.hubs[key]
	if s == nil {
		s = &shared{hub: newHub(newSource(), cfg)}
		if h.hubs == nil {
			h.hubs = make(map[K]*shared)
		}
		h.hubs[key] = s
	}
	s.watchers++
	return s
}

// leave waits for the source if this was its last watcher. Whoever starts the
// key meanwhile gets a source of its own.
func (h *Hubs[K]) leave(key K, s *shared) {
	h.mu.Lock()
	s.watchers--
	last := s.watchers == 0
	if last {
		delete(h.hubs, key)
	}
	h.mu.Unlock()
	if last {
		s.stop()
	}
}
