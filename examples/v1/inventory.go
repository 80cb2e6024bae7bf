package main

import (
	"errors"
	"slices"
	"sync"

	"github.com/evenkeel-grpc/evenkeel/balancers/v1adapter/naming"
)

// inventory is a naming.Resolver, and its only watcher, whose servers are what
// set says.
type inventory struct {
	changed chan struct{} // capacity 1: something has
	done    chan struct{}

	mu      sync.Mutex // guards the fields below
	servers []string
	told    []string // what Next has said so far
}

func newInventory() *inventory {
	return &inventory{changed: make(chan struct{}, 1), done: make(chan struct{})}
}

// set replaces the servers.
func (v *inventory) set(servers []string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.servers = servers
	select {
	case v.changed <- struct{}{}:
	default: // It knows.
	}
}

// Resolve implements naming.Resolver.
func (v *inventory) Resolve(string) (naming.Watcher, error) { return v, nil }

// Next implements naming.Watcher: it returns the changes since the last call.
func (v *inventory) Next() ([]*naming.Update, error) {
	select {
	case <-v.changed:
		return v.changes(), nil
	case <-v.done:
		return nil, errors.New("inventory: closed")
	}
}

// Close implements naming.Watcher.
func (v *inventory) Close() { close(v.done) }

func (v *inventory) changes() []*naming.Update {
	v.mu.Lock()
	defer v.mu.Unlock()
	var updates []*naming.Update
	for _, s := range v.servers {
		if !slices.Contains(v.told, s) {
			updates = append(updates, &naming.Update{Op: naming.Add, Addr: s})
		}
	}
	for _, s := range v.told {
		if !slices.Contains(v.servers, s) {
			updates = append(updates, &naming.Update{Op: naming.Delete, Addr: s})
		}
	}
	v.told = slices.Clone(v.servers)
	return updates
}
