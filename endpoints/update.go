package endpoints

import (
	"math/rand/v2"
	"slices"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/resolver"

	"github.com/evenkeel-grpc/evenkeel/internal/leaf"
	"github.com/evenkeel-grpc/evenkeel/internal/snapshot"
)

// UpdateClientConnState implements balancer.Balancer.
func (e *engine) UpdateClientConnState(s balancer.ClientConnState) error {
	list := s.ResolverState.Endpoints
	if e.updates > 0 && e.resolver == nil && slices.EqualFunc(list, e.last, sameEndpoint) {
		return e.lastErr
	}
	e.resolver = nil
	e.resolverChanged()
	e.updates++
	// A copy: the list is the resolver's, who may use it again for the next one.
	e.last = snapshot.Endpoints(list)

	e.updating = true
	e.seen = 0
	e.connect(e.adopt())
	e.removeOld()
	e.updating = false
	e.logf("resolver update %d; endpoints %d", e.updates, len(e.endpoints))

	e.lastErr = nil
	if len(e.endpoints) == 0 {
		e.lastErr = balancer.ErrBadResolverState
	}
	// Always, as grpc-go does: parent policies count on it.
	e.published = unpublished
	e.settle()
	return e.lastErr
}

// sameEndpoint reports whether nothing about an endpoint has changed. Attributes
// are compared by identity: their values may not be comparable.
func sameEndpoint(a, b resolver.Endpoint) bool {
	return a.Attributes == b.Attributes && slices.EqualFunc(a.Addresses, b.Addresses,
		func(a, b resolver.Address) bool {
			return a.Addr == b.Addr && a.ServerName == b.ServerName && a.Attributes == b.Attributes
		})
}

// adopt updates the endpoints that stay and returns the new ones, not yet
// connecting.
func (e *engine) adopt() []fresh {
	list := e.last
	var added []fresh
	if len(e.endpoints) == 0 { // All are new: make room once.
		e.makeRoom(len(list))
		added = make([]fresh, 0, len(list))
	}
	for i := range list {
		addrs := list[i].Addresses
		if len(addrs) == 0 {
			continue // There is nothing to connect to.
		}
		key := keyOf(addrs)
		ep := e.endpoints[key]
		switch {
		case ep == nil:
			ep = &endpoint{engine: e}
			ep.leaf.Init(ep)
			e.states[ep.leaf.State()]++
			e.endpoints[key] = ep
			added = append(added, fresh{ep, i})
		case ep.update == e.updates:
			continue // A duplicate: the first in the resolver's order counts.
		default:
			ep.leaf.Refresh(leaf.Addresses(list[i : i+1]))
		}
		ep.update = e.updates
		e.seen++
	}
	return added
}

// fresh is a new endpoint and its index in the resolver's list.
type fresh struct {
	*endpoint
	index int
}

// connect starts the new endpoints, from a random one on, so that clients that
// start together do not all connect to the same backend first (grpc-go #8438).
func (e *engine) connect(added []fresh) {
	if len(added) == 0 {
		return
	}
	start := rand.IntN(len(added))
	for i := range added {
		ep := added[(start+i)%len(added)]
		ep.leaf.Update(leaf.Addresses(e.last[ep.index : ep.index+1]))
	}
}

// removeOld closes the endpoints that the last resolver update did not have.
func (e *engine) removeOld() {
	e.room = max(e.room, len(e.endpoints))
	shrunk := e.seen < e.room/4 // A map keeps its size, and so does the time to go through it.
	if e.seen == len(e.endpoints) && !shrunk {
		return // Going through 100,000 takes longer than counting them did.
	}
	old := e.endpoints
	if shrunk {
		e.makeRoom(e.seen)
	}
	for key, ep := range old {
		switch {
		case ep.update != e.updates:
			ep.close()
			delete(old, key)
		case shrunk:
			e.endpoints[key] = ep
		}
	}
}

// makeRoom replaces the map by an empty one for n endpoints.
func (e *engine) makeRoom(n int) {
	e.endpoints = make(map[string]*endpoint, n)
	e.room = n
}
