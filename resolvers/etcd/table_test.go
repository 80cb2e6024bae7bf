package etcd

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

func kv(key, value string) *mvccpb.KeyValue {
	return &mvccpb.KeyValue{Key: []byte(key), Value: []byte(value)}
}

func put(key, value string) *clientv3.Event {
	return &clientv3.Event{Type: clientv3.EventTypePut, Kv: kv(key, value)}
}

func del(key string) *clientv3.Event {
	return &clientv3.Event{Type: clientv3.EventTypeDelete, Kv: kv(key, "")}
}

// shown returns the addresses of a table's snapshot.
func shown(tab *table) string {
	var addrs []string
	for _, e := range tab.snapshot().Endpoints {
		addrs = append(addrs, e.Addresses[0].Addr)
	}
	return strings.Join(addrs, " ")
}

func (t *table) applyAll(events ...*clientv3.Event) {
	for _, ev := range events {
		t.apply(ev)
	}
}

func TestTableFollowsEvents(t *testing.T) {
	tab := newTable(reader{})
	check := func(what, want string) {
		t.Helper()
		if got := shown(tab); got != want {
			t.Fatalf("after %s: %q, want %q", what, got, want)
		}
	}
	check("nothing", "")
	tab.applyAll(put("p/2", `{"Addr":"b:1"}`), put("p/1", `{"Addr":"c:1"}`))
	check("two puts", "b:1 c:1")
	tab.applyAll(put("p/3", `{"Addr":"a:1"}`), del("p/1"))
	check("a put and a deletion", "a:1 b:1")
	tab.apply(put("p/2", "garbage"))
	check("a good value turned bad", "a:1")
	tab.apply(put("p/2", `{"Addr":"d:1"}`))
	check("a bad value turned good", "a:1 d:1")
	tab.applyAll(put("p/4", `e:1`), del("p/4"), del("p/9"))
	check("a put that was deleted before anyone looked", "a:1 d:1")
	tab.apply(put("p/1", `{"nodes":[{"address":"e:1"},{"address":"b:1"}]}`))
	check("a value with two endpoints", "a:1 b:1 d:1 e:1")
	tab.apply(put("p/1", `{"nodes":[{"address":"b:1"}]}`))
	check("one of them gone", "a:1 b:1 d:1")
}

func TestLeastKeyOfAnAddressCounts(t *testing.T) {
	tab := newTable(reader{})
	metadata := func() string { return shownEndpoints(tab.snapshot().Endpoints) }
	tab.apply(put("p/2", `{"Addr":"a:1","Metadata":2}`))
	if got, want := metadata(), "a:1 2"; got != want {
		t.Errorf("with one key: %s, want %s", got, want)
	}
	tab.applyAll(put("p/3", `{"Addr":"a:1","Metadata":3}`), put("p/1", `{"Addr":"a:1","Metadata":1}`))
	if got, want := metadata(), "a:1 1"; got != want {
		t.Errorf("with three keys: %s, want %s", got, want)
	}
	tab.applyAll(del("p/1"), del("p/2"))
	if got, want := metadata(), "a:1 3"; got != want {
		t.Errorf("with the last key: %s, want %s", got, want)
	}
}

// TestTableAgainstSorting compares snapshots after random events with lists that
// are made anew.
func TestTableAgainstSorting(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	tab := newTable(reader{})
	keys := map[string]string{}
	for i := range 20_000 {
		key := fmt.Sprintf("p/%03d", rnd.IntN(300))
		if rnd.IntN(3) == 0 {
			tab.apply(del(key))
			delete(keys, key)
		} else {
			keys[key] = fmt.Sprintf("h%d:1", rnd.IntN(200))
			tab.apply(put(key, keys[key]))
		}
		if rnd.IntN(20) > 0 {
			continue
		}
		want := strings.Join(slices.Compact(slices.Sorted(maps.Values(keys))), " ")
		if got := shown(tab); got != want {
			t.Fatalf("after %d events: %q, want %q", i+1, got, want)
		}
	}
}

func TestTableRemembersWhatIsMalformed(t *testing.T) {
	tab := newTable(reader{prefix: "p/"})
	tab.applyAll(put("p/1", "x"), put("p/2", `{"Addr":"a:1"}`), put("p/3", `{"name":"other","endpoints":[]}`))
	detail := func(want string) {
		t.Helper()
		if got := tab.snapshot().Detail; got != want {
			t.Errorf("Detail = %q, want %q", got, want)
		}
	}
	detail("values skipped: 1 malformed, 1 of another service")
	tab.apply(del("p/3"))
	detail("malformed values skipped: 1")

	again := tab.renewed()
	if again.logged["p/1"] != malformed || shown(again) != "" {
		t.Errorf("a renewed table has logged %v and shows %q, want p/1 and nothing", again.logged, shown(again))
	}
	tab.apply(put("p/1", "a:1"))
	detail("the prefix holds no key")
}

// BenchmarkTableSnapshot measures what a change costs when there are many keys.
func BenchmarkTableSnapshot(b *testing.B) {
	for _, n := range []int{100, 10_000, 100_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			tab := newTable(reader{})
			for i := range n {
				tab.apply(put(fmt.Sprintf("p/%d", i), fmt.Sprintf("10.%d.%d.%d:1", i>>16, i>>8&255, i&255)))
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				for j := range 50 {
					tab.apply(put(fmt.Sprintf("p/%d", (i*50+j)%n), fmt.Sprintf("h%d:%d", i, j)))
				}
				tab.snapshot()
			}
		})
	}
}
