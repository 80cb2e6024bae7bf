package v1adapter

import (
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc/balancer"
)

const (
	// strangerGrace is how long an address that Get returns may be missing from
	// the list, because the list is on its way or the address has just left it.
	strangerGrace = time.Second
	// strangerRetry is how often RPCs pick again meanwhile.
	strangerRetry = 20 * time.Millisecond
	// maxStrangers bounds the memory of addresses that never come.
	maxStrangers = 1000
)

// strangers are addresses that Get has returned and that are in no list.
type strangers struct {
	retry func() // makes waiting RPCs pick again; set once

	mu       sync.Mutex // guards the fields below
	since    map[Address]time.Time
	retrying bool // a retry is on its way
}

// meet returns what Pick is to return for an address that is not in the list of
// n: for a while the RPC picks again, later it fails.
func (s *strangers) meet(addr Address, n int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	first, ok := s.since[addr]
	if !ok {
		if s.since == nil || len(s.since) >= maxStrangers {
			s.since = make(map[Address]time.Time)
		}
		s.since[addr], first = now, now
	}
	if now.Sub(first) >= strangerGrace {
		return fmt.Errorf("v1adapter: Get returned address %q (Metadata %v), which is not among the %d of the last Notify", addr.Addr, addr.Metadata, n)
	}
	if !s.retrying {
		s.retrying = true
		time.AfterFunc(strangerRetry, s.again)
	}
	return balancer.ErrNoSubConnAvailable
}

func (s *strangers) again() {
	s.mu.Lock()
	s.retrying = false
	s.mu.Unlock()
	s.retry()
}

// forget drops those that are in the list now.
func (s *strangers) forget(conns map[Address]*conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for addr := range s.since {
		if conns[addr] != nil {
			delete(s.since, addr)
		}
	}
}
