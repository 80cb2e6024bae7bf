package etcd_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

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
		<-f.opened
		cc.expect(t, "list a:1", "list b:499")
	})
}

func TestWatchThatEndsIsFollowedByAnotherList(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(*fakeWatch)
		want string
	}{
		{"closed", func(w *fakeWatch) { close(w.responses) }, "the watch was closed"},
		{"compacted", func(w *fakeWatch) {
			w.responses <- clientv3.WatchResponse{Canceled: true, CompactRevision: 5}
		}, "etcdserver: mvcc: required revision has been compacted"},
		{"cancelled by the server", func(w *fakeWatch) {
			w.responses <- clientv3.WatchResponse{Canceled: true, CancelReason: "etcdserver: permission denied"}
		}, "etcdserver: permission denied"},
		{"changed and then closed", func(w *fakeWatch) {
			w.responses <- put("x/9", "z:1")
			close(w.responses)
		}, "the watch was closed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFakeEtcd()
				f.set(1, "x/1", "a:1")
				cc := follow(t, f)
				w := <-f.opened
				cc.expect(t, "list a:1")
				f.set(7, "x/2", "b:1") // unseen by the watch
				tt.end(w)
				cc.expect(t, `error etcd: "x/": watching: `+tt.want)
				w = <-f.opened
				cc.expect(t, "list a:1 b:1")
				if w.revision != 8 {
					t.Errorf("watched from revision %d after a list at 7, want 8", w.revision)
				}
			})
		})
	}
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
