package dns_test

import (
	"testing"
	"testing/synctest"
	"time"
)

const noSign = `error dns: "a.test": no answer yet from 10.0.0.53:53, nor any sign of life for 85ms`

func TestServerWithoutASignOfLifeIsReportedEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		for _, q := range []string{"a.test. A", "a.test. AAAA", ". NS"} {
			h.delay[q] = time.Hour
		}
		cc, _ := h.follow(t, aTest)
		time.Sleep(84 * time.Millisecond)
		cc.expect(t)
		time.Sleep(time.Millisecond)
		cc.expect(t, noSign)
		time.Sleep(time.Minute)
		cc.expect(t, `error dns: "a.test": A record: 10.0.0.53:53: no answer in time`)
	})
}

// A slow look-up must not make RPCs fail that have the time to wait for it.
func TestServerThatIsOnlySlowIsGivenItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		h.set("a.test.", 60, "A", "10.0.0.1")
		h.delay["a.test. A"] = 900 * time.Millisecond
		h.delay["a.test. AAAA"] = 900 * time.Millisecond
		h.delay[". NS"] = 50 * time.Millisecond
		cc, _ := h.follow(t, aTest)
		time.Sleep(time.Second)
		cc.expect(t, "list 10.0.0.1")
	})
}

func TestQuickAnswerNeedsNoOtherQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		h.set("a.test.", 60, "A", "10.0.0.1")
		h.delay["a.test. A"] = 20 * time.Millisecond
		h.follow(t, aTest)
		time.Sleep(time.Second)
		if got := h.take(); len(got) != 2 {
			t.Errorf("asked %q, want A and AAAA", got)
		}
	})
}

func TestWaitCanBeChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		h.set("a.test.", 60, "A", "10.0.0.1")
		for _, q := range []string{"a.test. A", "a.test. AAAA", ". NS"} {
			h.delay[q] = 500 * time.Millisecond
		}
		cc, _ := h.follow(t, aTest+"?wait=600ms")
		time.Sleep(time.Second)
		cc.expect(t, "list 10.0.0.1")
	})
}

// A name server that answered a moment ago is not suspected.
func TestServerThatWasHeardOfIsGivenItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		h.set("b.test.", 60, "A", "10.0.0.1")
		h.follow(t, "dns:///b.test")
		h.take()
		h.set("a.test.", 60, "A", "10.0.0.1")
		h.delay["a.test. A"] = 500 * time.Millisecond
		h.delay["a.test. AAAA"] = 500 * time.Millisecond
		cc, _ := h.follow(t, aTest)
		time.Sleep(time.Second)
		cc.expect(t, "list 10.0.0.1")
		if got := h.take(); len(got) != 2 {
			t.Errorf("asked %q, want A and AAAA", got)
		}
	})
}

func TestManyChannelsProbeOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		for _, q := range []string{"a.test. A", "a.test. AAAA", ". NS"} {
			h.delay[q] = time.Hour
		}
		var channels []*fakeChannel
		for range 100 {
			cc, _ := h.follow(t, aTest)
			channels = append(channels, cc)
		}
		time.Sleep(time.Second / 2)
		for _, cc := range channels {
			cc.expect(t, noSign)
		}
		synctest.Wait()
		if got := len(h.times[". NS"]); got != 1 {
			t.Errorf("probes = %d, want 1", got)
		}
	})
}
