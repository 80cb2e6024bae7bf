package e2e

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// registry is what a prefix should hold: addresses by key.
type registry map[string]string

// set makes n keys from the given one on point to new addresses, in one
// transaction.
func (r registry) set(tb testing.TB, c *clientv3.Client, from, n, generation int) {
	tb.Helper()
	ops := make([]clientv3.Op, n)
	for i := range n {
		key := fmt.Sprintf("x/%06d", from+i)
		r[key] = fmt.Sprintf("10.%d.%d.%d:%d", (from+i)>>16, (from+i)>>8&255, (from+i)&255, 1+generation)
		ops[i] = clientv3.OpPut(key, fmt.Sprintf(`{"Op":0,"Addr":%q,"Metadata":{"zone":"a","weight":%d}}`, r[key], 1+i%10))
	}
	ctx, cancel := context.WithTimeout(tb.Context(), 20*time.Second)
	defer cancel()
	if _, err := c.Txn(ctx).Then(ops...).Commit(); err != nil {
		tb.Fatal(err)
	}
}

// digest is of the list that a channel should have.
func (r registry) digest() string { return digest(slices.Sorted(maps.Values(r))) }

// A prefix of many keys, 100,000 of them with -full, is read, and followed while
// 1,000 of them change each second.
func TestEtcdManyKeys(t *testing.T) {
	keys, seconds := 5_000, 2
	if *full {
		keys, seconds = 100_000, 20
	}
	s := startEtcdCluster(t, 3)
	c := s.client(t)
	want := registry{}
	for from := 0; from < keys; from += 100 {
		want.set(t, c, from, 100, 0)
	}

	next := startFollower(t, "etcd://"+s.hosts()+"/x")
	first := next()
	t.Logf("first list: %+v", first)
	if first.Digest != want.digest() {
		t.Errorf("the first list is not what is in etcd: %d endpoints, want %d", first.Endpoints, len(want))
	}

	const batch = 10
	tick := time.NewTicker(batch * time.Millisecond)
	defer tick.Stop()
	for i := range seconds * 1000 / batch {
		<-tick.C
		want.set(t, c, i*batch*7%keys, batch, 1+i)
	}
	want["x/last"] = lastAddr
	put(t, c, "x/last", lastAddr)
	began := time.Now()
	last := next()
	lag := time.Since(began)
	t.Logf("last list: %+v, %v after the last change", last, lag)
	if last.Digest != want.digest() {
		t.Errorf("the last list is not what is in etcd: %d endpoints, want %d", last.Endpoints, len(want))
	}
	if last.Busiest > 20 {
		t.Errorf("lists in the busiest second = %d, want at most 20", last.Busiest)
	}
	if *full && (first.Took > 3*time.Second || first.PeakRSS > 200 || lag > time.Second) {
		t.Errorf("first list after %v with %d MB, last one %v after the last change, want 3 s, 200 MB and 1 s", first.Took, first.PeakRSS, lag)
	}
}
