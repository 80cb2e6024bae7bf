package etcd

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/resolver"

	"github.com/evenkeel-grpc/evenkeel/resolvers/internal/watch"
)

// table mirrors the keys of a prefix. A change costs as much as it touches; the
// list of all endpoints is then made without sorting them again.
type table struct {
	reader
	rows    map[string][]*row // by key
	skipped map[string]skip   // by key; the values that made no row
	logged  map[string]skip   // what was skipped before the list, while it is read

	order []*row // by address, then key, of the last list
	fresh []*row // put since then, in any order
}

// row is one endpoint of one value. Most values have one.
type row struct {
	key      string
	addr     string // the endpoint's only one
	endpoint resolver.Endpoint
	removed  bool
}

// skip is why a value made no row.
type skip int

const (
	malformed skip = iota + 1 // and logged
	foreign
)

func newTable(r reader) *table {
	return &table{reader: r, rows: make(map[string][]*row), skipped: make(map[string]skip)}
}

// renewed returns an empty table that logs nothing again that t has logged.
func (t *table) renewed() *table {
	n := newTable(t.reader)
	n.logged = t.skipped
	return n
}

// apply follows an event of a watch.
func (t *table) apply(ev *clientv3.Event) {
	if ev.Type == clientv3.EventTypeDelete {
		key := string(ev.Kv.Key)
		t.remove(key)
		delete(t.skipped, key)
		return
	}
	t.put(ev.Kv)
}

// put reads a value. One that is malformed takes the place of a good one all the
// same: a list must find what a watch has found.
func (t *table) put(kv *mvccpb.KeyValue) {
	key := string(kv.Key)
	t.remove(key)
	endpoints, err := t.read(kv.Value)
	if err != nil {
		t.skip(key, err)
		return
	}
	delete(t.skipped, key)
	rows := make([]*row, len(endpoints))
	for i, e := range endpoints {
		rows[i] = &row{key: key, addr: e.Addresses[0].Addr, endpoint: e}
	}
	t.rows[key] = rows
	t.fresh = append(t.fresh, rows...)
}

func (t *table) remove(key string) {
	for _, r := range t.rows[key] {
		r.removed = true
	}
	delete(t.rows, key)
}

func (t *table) skip(key string, err error) {
	if errors.Is(err, errForeign) {
		t.skipped[key] = foreign
		return
	}
	if t.skipped[key] != malformed && t.logged[key] != malformed {
		logger.Warningf("skipping key %q: %v", key, err)
	}
	t.skipped[key] = malformed
}

// snapshot returns the endpoints by address, of each address that of the least
// key.
func (t *table) snapshot() watch.Snapshot {
	t.sort()
	s := watch.Snapshot{Endpoints: make([]resolver.Endpoint, 0, len(t.order)), Detail: t.detail()}
	for i, r := range t.order {
		if i == 0 || r.addr != t.order[i-1].addr {
			s.Endpoints = append(s.Endpoints, r.endpoint)
		}
	}
	return s
}

// sort merges what is fresh into the order, and leaves out what is removed.
func (t *table) sort() {
	t.fresh = slices.DeleteFunc(t.fresh, isRemoved)
	slices.SortFunc(t.fresh, compareRows)
	merged := make([]*row, 0, len(t.order)+len(t.fresh))
	rest := t.order
	for _, r := range t.fresh {
		n, _ := slices.BinarySearchFunc(rest, r, compareRows)
		merged = append(appendPresent(merged, rest[:n]), r)
		rest = rest[n:]
	}
	t.order = appendPresent(merged, rest)
	t.fresh = nil
}

func isRemoved(r *row) bool { return r.removed }

func appendPresent(to, rows []*row) []*row {
	for _, r := range rows {
		if !r.removed {
			to = append(to, r)
		}
	}
	return to
}

func compareRows(a, b *row) int {
	if c := cmp.Compare(a.addr, b.addr); c != 0 {
		return c
	}
	return cmp.Compare(a.key, b.key)
}

// detail says why there may be no endpoint.
func (t *table) detail() string {
	if len(t.skipped) == 0 {
		return "the prefix holds no key"
	}
	counts := map[skip]int{}
	for _, s := range t.skipped {
		counts[s]++
	}
	if counts[foreign] == 0 {
		return fmt.Sprintf("malformed values skipped: %d", counts[malformed])
	}
	return fmt.Sprintf("values skipped: %d malformed, %d of another service", counts[malformed], counts[foreign])
}
