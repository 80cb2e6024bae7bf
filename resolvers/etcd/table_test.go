package etcd

import (
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

func TestTableFollowsListAndEvents(t *testing.T) {
	var tab table
	check := func(what, want string) {
		t.Helper()
		if got := shown(&tab); got != want {
			t.Fatalf("after %s: %q, want %q", what, got, want)
		}
	}
	tab.reset([]*mvccpb.KeyValue{kv("p/2", `{"Addr":"b:1"}`), kv("p/1", `{"Addr":"c:1"}`)})
	check("a list", "c:1 b:1") // in the order of the keys
	if tab.apply(nil) {
		t.Error("apply of no event = true, want false")
	}
	if !tab.apply([]*clientv3.Event{put("p/3", `{"Addr":"a:1"}`), del("p/1")}) {
		t.Error("apply of two events = false, want true")
	}
	check("events", "b:1 a:1")
	tab.apply([]*clientv3.Event{put("p/2", "garbage")})
	check("a good value turned bad", "a:1")
	tab.apply([]*clientv3.Event{put("p/2", `{"Addr":"d:1"}`)})
	check("a bad value turned good", "d:1 a:1")
	tab.reset([]*mvccpb.KeyValue{kv("p/9", `{"Addr":"z:1"}`)})
	check("another list", "z:1")
	tab.reset(nil)
	check("an empty list", "")
}

func TestTableRemembersWhatIsMalformed(t *testing.T) {
	var tab table
	bad := []*mvccpb.KeyValue{kv("p/1", "x"), kv("p/2", `{"Addr":"a:1"}`)}
	tab.reset(bad)
	tab.reset(bad)
	if !tab.rows["p/1"].malformed || tab.rows["p/2"].malformed {
		t.Errorf("rows = %v, want p/1 alone to be malformed", tab.rows)
	}
	tab.apply([]*clientv3.Event{del("p/2")})
	if got, want := tab.snapshot().Detail, "malformed values skipped: 1"; got != want {
		t.Errorf("Detail = %q, want %q", got, want)
	}
	tab.apply([]*clientv3.Event{del("p/1")})
	if got, want := tab.snapshot().Detail, "the prefix holds no key"; got != want {
		t.Errorf("Detail = %q, want %q", got, want)
	}
}
