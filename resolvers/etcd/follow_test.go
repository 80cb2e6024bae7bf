package etcd_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

func TestWatchFollowsTheListWithoutAGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeEtcd()
		f.set(41, "x/1", "a:1")
		cc := follow(t, f)
		w := <-f.opened
		cc.expect(t, "list a:1")
		if want := []string{"x/-x0"}; !slices.Equal(f.lists, want) || w.rang != want[0] {
			t.Errorf("listed %q and watched %q, want %q", f.lists, w.rang, want)
		}
		if w.revision != 42 {
			t.Errorf("watched from revision %d after a list at 41, want 42", w.revision)
		}
		if !w.leader {
			t.Error("the watch does not require a leader")
		}
		w.responses <- put("x/2", "b:1")
		cc.expect(t, "list a:1 b:1")
		w.responses <- del("x/1")
		cc.expect(t, "list b:1")
		w.responses <- clientv3.WatchResponse{} // a progress notification
		cc.expect(t)
	})
}

func TestBurstIsPublishedAsOneList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeEtcd()
		f.set(1, "x/1", "a:1")
		for i := range 500 {
			f.burst = append(f.burst, put("x/2", fmt.Sprintf("b:%d", i)))
		}
		f.burst = append(f.burst, del("x/1"))
		cc := follow(t, f)
		cc.expect(t, "list a:1")
		<-f.opened
		cc.expect(t, "list b:499")
	})
}

// A watch that ends for no reason that matters goes on where it was.
func TestWatchThatEndsIsResumed(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(*fakeWatch)
		want []string
		from int64
	}{
		{"closed", func(w *fakeWatch) { close(w.responses) },
			[]string{`error etcd: "x/": watching: the watch was closed`}, 2},
		{"cancelled by the server", func(w *fakeWatch) {
			w.responses <- clientv3.WatchResponse{Canceled: true, CancelReason: "etcdserver: permission denied"}
		}, []string{`error etcd: "x/": watching: etcdserver: permission denied`}, 2},
		{"changed and then closed", func(w *fakeWatch) {
			w.responses <- put("x/9", "z:1")
			close(w.responses)
		}, []string{"list a:1 z:1", `error etcd: "x/": watching: the watch was closed`}, 6},
		{"told of a revision and then closed", func(w *fakeWatch) {
			w.responses <- clientv3.WatchResponse{Header: &etcdserverpb.ResponseHeader{Revision: 6}}
			close(w.responses)
		}, []string{`error etcd: "x/": watching: the watch was closed`}, 7},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFakeEtcd()
				f.set(1, "x/1", "a:1")
				cc := follow(t, f)
				w := <-f.opened
				cc.expect(t, "list a:1")
				f.set(7, "x/2", "b:1") // a list would find it
				tt.end(w)
				cc.expect(t, tt.want...)
				w = <-f.opened
				if w.revision != tt.from || len(f.lists) != 1 {
					t.Errorf("watched from revision %d after %d lists, want %d after 1", w.revision, len(f.lists), tt.from)
				}
				w.responses <- put("x/2", "b:1")
				synctest.Wait()
				if got := cc.take(); len(got) == 0 || !strings.HasPrefix(got[len(got)-1], "list a:1 b:1") {
					t.Errorf("after a change in the second watch the channel was told %q, want a list with b:1", got)
				}
			})
		})
	}
}

func TestCompactionIsFollowedByAnotherListAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeEtcd()
		f.set(1, "x/1", "a:1")
		cc := follow(t, f)
		close((<-f.opened).responses)
		w := <-f.opened // resumes
		cc.take()
		f.set(7, "x/2", "b:1")
		began := time.Now()
		w.responses <- clientv3.WatchResponse{Canceled: true, CompactRevision: 5}
		w = <-f.opened
		cc.expect(t, "list a:1 b:1") // and no error
		if w.revision != 8 || time.Since(began) != 0 {
			t.Errorf("watched from revision %d after %v, want 8 at once", w.revision, time.Since(began))
		}
		// A list that is out of date at once is a failure, lest this never ends.
		w.responses <- clientv3.WatchResponse{Canceled: true, CompactRevision: 9}
		cc.expect(t, `error etcd: "x/": watching: etcdserver: mvcc: required revision has been compacted`)
	})
}

// A watch from a revision that a cluster will only reach much later would be deaf
// until then.
func TestClusterWithAnotherHistoryIsListedAnew(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*fakeEtcd)
	}{
		{"back in time", func(f *fakeEtcd) { f.revision = 3 }},
		{"another cluster", func(f *fakeEtcd) { f.cluster = 2 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFakeEtcd()
				f.set(41, "x/1", "a:1")
				cc := follow(t, f)
				w := <-f.opened
				f.mu.Lock()
				f.keys = map[string]string{"x/2": value("b:1")}
				tt.change(f)
				f.mu.Unlock()
				close(w.responses)
				w = <-f.opened
				if want := f.revision + 1; w.revision != want {
					t.Errorf("watched from revision %d, want %d", w.revision, want)
				}
				cc.expect(t, "list a:1", `error etcd: "x/": watching: the watch was closed`, "list b:1")
			})
		})
	}
}

func TestPrefixIsReadInPages(t *testing.T) {
	for _, tt := range []struct{ page, keys, lists int }{{2, 5, 3}, {2, 4, 2}, {5, 5, 1}, {1, 3, 3}} {
		synctest.Test(t, func(t *testing.T) {
			f := newFakeEtcd()
			want := []string{"list"}
			for i := range tt.keys {
				addr := fmt.Sprintf("h:%d", i+1)
				f.set(int64(i+1), fmt.Sprintf("x/%d", i), addr)
				want = append(want, addr)
			}
			cc := build(t, f.client(t), fmt.Sprintf("etcd:///x?page=%d", tt.page))
			<-f.opened
			cc.expect(t, strings.Join(want, " "))
			if len(f.lists) != tt.lists {
				t.Errorf("%d keys were read in %q, want %d pages of %d", tt.keys, f.lists, tt.lists, tt.page)
			}
		})
	}
}

// Without a leader nobody can say what is true now, but a member can say what was.
func TestWithoutALeaderOneMembersListIsUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeEtcd()
		f.set(7, "x/1", "a:1")
		f.lost = true
		cc := follow(t, f)
		cc.expect(t, "list a:1", `error etcd: "x/": listing: etcdserver: no leader; using what one member has at revision 7`)
		time.Sleep(time.Hour)
		cc.expect(t, `error etcd: "x/": asking for the revision: etcdserver: no leader`)
		f.mu.Lock()
		f.lost = false
		f.mu.Unlock()
		if w := <-f.opened; w.revision != 8 {
			t.Errorf("watched from revision %d, want 8, where the list was", w.revision)
		}
		cc.expect(t, "list a:1")
	})
}

func TestChannelsShareAListAndAWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeEtcd()
		f.set(1, "x/1", "a:1")
		client := f.client(t)
		first := build(t, client, "etcd:///x")
		w := <-f.opened
		later := build(t, client, "etcd:///x/?grace=1s")
		first.expect(t, "list a:1")
		later.expect(t, "list a:1")
		w.responses <- put("x/2", "b:1")
		first.expect(t, "list a:1 b:1")
		later.expect(t, "list a:1 b:1")
		if len(f.lists) != 1 {
			t.Errorf("lists read = %q, want one for both channels", f.lists)
		}
		build(t, client, "etcd:///x?format=etcd") // reads the values in another way
		<-f.opened
	})
}

func TestServiceConfigIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeEtcd()
		f.set(1, "x/1", "a:1")
		f.keys["x/config"] = "one"
		cc := build(t, f.client(t), "etcd:///x?config-key=x/config")
		endpoints, config := <-f.opened, <-f.opened
		cc.expect(t, "list a:1", "config one")
		if config.rang != "x/config-" || config.revision != 2 {
			t.Errorf("watched %s from %d, want the key of the config from 2", config.rang, config.revision)
		}
		// The key is under the prefix, but no endpoint.
		endpoints.responses <- change(clientv3.EventTypePut, "x/config", "two")
		cc.expect(t)
		config.responses <- change(clientv3.EventTypePut, "x/config", "two")
		cc.expect(t, "list a:1", "config two")
		config.responses <- change(clientv3.EventTypePut, "x/config", "two")
		cc.expect(t)
		config.responses <- del("x/config")
		cc.expect(t, "list a:1")
		close(config.responses)
		cc.expect(t, `error etcd: "x/": watching: the watch was closed`)
		<-f.opened
		<-f.opened
	})
}

func TestListWithoutAnswerFailsAfterASecondAndThenLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeEtcd()
		f.deaf = true
		cc := follow(t, f)
		time.Sleep(999 * time.Millisecond)
		cc.expect(t)
		time.Sleep(time.Millisecond)
		cc.expect(t, `error etcd: "x/": listing: no answer in time`)
		time.Sleep(time.Hour)
		cc.expect(t) // it never changes
	})
}

func TestWatchWithoutAnswerFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeEtcd()
		f.set(1, "x/1", "a:1")
		cc := follow(t, f) // nobody receives from f.opened
		cc.expect(t, "list a:1")
		time.Sleep(time.Second)
		cc.expect(t, `error etcd: "x/": watching: no answer in time`)
		time.Sleep(time.Second)
		<-f.opened
		cc.expect(t, "list a:1")
		time.Sleep(time.Hour)
		cc.expect(t)
	})
}
