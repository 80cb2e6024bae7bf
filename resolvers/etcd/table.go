package etcd

import (
	"fmt"
	"maps"
	"slices"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/resolver"

	"github.com/evenkeel-grpc/evenkeel/resolvers/internal/watch"
)

// table mirrors the keys of a prefix. The zero value is an empty one.
type table struct {
	rows map[string]row // by key
}

// row is what became of one value.
type row struct {
	endpoint  resolver.Endpoint
	malformed bool // and logged
}

// reset makes the table mirror what a list found.
func (t *table) reset(kvs []*mvccpb.KeyValue) {
	old := t.rows
	t.rows = make(map[string]row, len(kvs))
	for _, kv := range kvs {
		t.rows[string(kv.Key)] = read(kv, old[string(kv.Key)].malformed)
	}
}

// apply follows the events of a watch. It returns false if there are none.
func (t *table) apply(events []*clientv3.Event) bool {
	for _, ev := range events {
		key := string(ev.Kv.Key)
		if ev.Type == clientv3.EventTypeDelete {
			delete(t.rows, key)
		} else {
			t.rows[key] = read(ev.Kv, t.rows[key].malformed)
		}
	}
	return len(events) > 0
}

// read makes a row of a value. One that is malformed takes the place of a good
// one all the same: a list must find what a watch has found.
func read(kv *mvccpb.KeyValue, logged bool) row {
	e, err := parseValue(kv.Value)
	if err != nil && !logged {
		logger.Warningf("skipping key %q: %v", kv.Key, err)
	}
	return row{endpoint: e, malformed: err != nil}
}

// snapshot returns the endpoints in the order of their keys.
func (t *table) snapshot() watch.Snapshot {
	s := watch.Snapshot{Endpoints: make([]resolver.Endpoint, 0, len(t.rows))}
	malformed := 0
	for _, key := range slices.Sorted(maps.Keys(t.rows)) {
		if r := t.rows[key]; r.malformed {
			malformed++
		} else {
			s.Endpoints = append(s.Endpoints, r.endpoint)
		}
	}
	s.Detail = "the prefix holds no key"
	if malformed > 0 {
		s.Detail = fmt.Sprintf("malformed values skipped: %d", malformed)
	}
	return s
}
