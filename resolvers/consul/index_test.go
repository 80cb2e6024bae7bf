package consul_test

import (
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// An index that misbehaves must not make a resolver spin. Each fake answers at
// once, as if there were always a change.
func TestIndexThatMisbehaves(t *testing.T) {
	for name, next := range map[string]func(n uint64) uint64{
		"is always 0":            func(uint64) uint64 { return 0 },
		"never changes":          func(uint64) uint64 { return 7 },
		"goes backwards":         func(n uint64) uint64 { return 1_000_000 - n },
		"advances with no news":  func(n uint64) uint64 { return n },
		"jumps to and fro":       func(n uint64) uint64 { return 10 + n%2 },
		"is 0 every second time": func(n uint64) uint64 { return n % 2 * n },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var n atomic.Uint64
				f := startFake(t, func(w http.ResponseWriter, _ *http.Request) {
					answer(w, next(n.Add(1)), instance("10.0.0.1:80"))
				})
				cc := f.build(t, "consul:///x")
				time.Sleep(10 * time.Second)
				if got, want := cc.take(), []string{"list 10.0.0.1:80"}; !slices.Equal(got, want) {
					t.Errorf("the channel was told %q, want %q", got, want)
				}
				if got := len(f.seen()); got < 8 || got > 15 {
					t.Errorf("queries in 10 s = %d, want about one a second and at most 15", got)
				}
			})
		})
	}
}

func TestIndexIsUsedAsConsulDocumentsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		indices := []uint64{5, 9, 3, 12, 0, 4}
		var n atomic.Int64
		f := startFake(t, func(w http.ResponseWriter, r *http.Request) {
			i := int(n.Add(1)) - 1
			if i >= len(indices) {
				hold(r)
				answer(w, 4, instance("10.0.0.1:80"))
				return
			}
			answer(w, indices[i], instance("10.0.0.1:80"))
		})
		f.build(t, "consul:///x")
		time.Sleep(20 * time.Second)
		var asked []string
		for _, r := range f.seen() {
			asked = append(asked, r.params.Get("index"))
		}
		// 3 is backwards, so the index is forgotten; so is it after 0.
		if want := []string{"", "5", "9", "", "12", "", "4"}; !slices.Equal(asked, want) {
			t.Errorf("indices asked for = %q, want %q", asked, want)
		}
	})
}

func TestChangesThatComeFastAreFollowedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Uint64
		f := startFake(t, func(w http.ResponseWriter, _ *http.Request) {
			i := n.Add(1)
			answer(w, i, instance([]string{"10.0.0.1:80", "10.0.0.2:80"}[i%2]))
		})
		cc := f.build(t, "consul:///x")
		time.Sleep(10 * time.Second)
		got := len(cc.take())
		if got < 500 || got > 650 {
			t.Errorf("lists in 10 s = %d, want 50 a second and a burst of 100", got)
		}
	})
}

func TestWaitIsSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := startFake(t, func(w http.ResponseWriter, r *http.Request) {
			hold(r)
			answer(w, 7, instance("10.0.0.1:80"))
		})
		f.build(t, "consul:///x?wait=160s")
		time.Sleep(time.Hour)
		waits := make(map[string]bool)
		for _, r := range f.seen()[1:] {
			wait, err := time.ParseDuration(r.params.Get("wait"))
			if err != nil || wait < 150*time.Second || wait > 160*time.Second {
				t.Errorf("asked to wait %q, want 150 s to 160 s", r.params.Get("wait"))
			}
			waits[r.params.Get("wait")] = true
		}
		if len(waits) < 10 {
			t.Errorf("different waits = %d, want them spread", len(waits))
		}
	})
}
