package dns_test

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/resolver"
)

const aTest = "dns:///a.test"

func TestBothFamiliesAreFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		h.set("a.test.", 60, "A", "10.0.0.1", "10.0.0.2")
		h.set("a.test.", 60, "AAAA", "2001:db8::1")
		cc, _ := h.follow(t, "dns:///a.test:80")
		cc.expect(t, "list 10.0.0.1:80 10.0.0.2:80 [2001:db8::1]:80")
		if got := h.take(); !slices.Equal(got, []string{"a.test. A", "a.test. AAAA"}) {
			t.Errorf("asked %q", got)
		}
	})
}

// between fails the test unless each of d, of which there must be some, is in
// the range.
func between(t *testing.T, what string, d []time.Duration, low, high time.Duration) {
	t.Helper()
	if len(d) == 0 {
		t.Errorf("%s: none", what)
	}
	for _, got := range d {
		if got < low || got > high {
			t.Errorf("%s = %v, want %v to %v", what, got, low, high)
		}
	}
}

func TestTTLDecidesWhenToLookAgain(t *testing.T) {
	for _, tt := range []struct {
		name, params string
		ttl          int
		want         time.Duration
	}{
		{"the TTL", "", 20, 20 * time.Second},
		{"5 s at least", "", 1, 5 * time.Second},
		{"also without a TTL", "", 0, 5 * time.Second},
		{"5 min at most", "", 100000, 5 * time.Minute},
		{"another minimum", "?min=1s", 0, time.Second},
		{"a minimum above the maximum's default", "?min=10m", 20, 10 * time.Minute},
		{"another maximum", "?max=10s", 60, 10 * time.Second},
		{"a maximum below the minimum's default", "?max=2s", 60, 2 * time.Second},
		{"an interval of its own", "?refresh=30s", 1, 30 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t)
				h.set("a.test.", tt.ttl, "A", "10.0.0.1")
				h.set("a.test.", tt.ttl, "AAAA", "2001:db8::1")
				h.follow(t, aTest+tt.params)
				time.Sleep(40 * tt.want)
				synctest.Wait()
				gaps := h.gaps("a.test. A")
				between(t, "time between look-ups", gaps, tt.want*9/10, tt.want*11/10)
				if slices.Max(gaps)-slices.Min(gaps) < tt.want/20 {
					t.Errorf("times between look-ups = %v to %v, want them spread", slices.Min(gaps), slices.Max(gaps))
				}
			})
		})
	}
}

func TestLeastTTLOfTheRecordsCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		h.set("a.test.", 60, "A", "10.0.0.1")
		h.set("a.test.", 10, "AAAA", "2001:db8::1")
		h.follow(t, aTest)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		between(t, "time between look-ups of AAAA", h.gaps("a.test. AAAA"), 9*time.Second, 11*time.Second)
		between(t, "time between look-ups of A", h.gaps("a.test. A"), 54*time.Second, 66*time.Second)
	})
}

func TestChangesArePublishedAndNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		h.set("a.test.", 10, "A", "10.0.0.1", "10.0.0.2", "10.0.0.3")
		cc, _ := h.follow(t, aTest)
		cc.expect(t, "list 10.0.0.1 10.0.0.2 10.0.0.3")
		h.set("a.test.", 10, "A", "10.0.0.3", "10.0.0.1", "10.0.0.2", "10.0.0.1")
		time.Sleep(time.Hour)
		cc.expect(t)
		h.set("a.test.", 10, "A", "10.0.0.3", "10.0.0.4")
		time.Sleep(11 * time.Second)
		cc.expect(t, "list 10.0.0.3 10.0.0.4")
	})
}

func TestRefreshOffLooksAgainOnlyWhenToldTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		h.set("a.test.", 1, "A", "10.0.0.1")
		cc, r := h.follow(t, aTest+"?refresh=off")
		cc.expect(t, "list 10.0.0.1")
		h.set("a.test.", 1, "A", "10.0.0.2")
		time.Sleep(24 * time.Hour)
		cc.expect(t)
		r.ResolveNow(resolver.ResolveNowOptions{})
		cc.expect(t, "list 10.0.0.2")
	})
}

func TestResolveNowInAHotLoopIsLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		h.set("a.test.", 3600, "A", "10.0.0.1")
		_, r := h.follow(t, aTest+"?max=1h")
		for range 10 * 60 * 10 {
			r.ResolveNow(resolver.ResolveNowOptions{})
			time.Sleep(time.Second / 10)
		}
		gaps := h.gaps("a.test. A")
		between(t, "time between look-ups", gaps, 30*time.Second, 31*time.Second)
		between(t, "time between look-ups of AAAA, which are due earlier", h.gaps("a.test. AAAA"), 18*time.Second, 22*time.Second)
		if n := len(gaps); n < 19 || n > 20 {
			t.Errorf("look-ups in 10 minutes = %d, want 20", n+1)
		}
	})
}

func TestFirstFailureIsVisibleAtOnce(t *testing.T) {
	for _, tt := range []struct {
		name string
		fail func(*fakeHost)
		want string
	}{
		{"refused", func(h *fakeHost) { h.fails("", errors.New("connection refused")) }, `error dns: "a.test": A record: 10.0.0.53:53: connection refused`},
		{"SERVFAIL", func(h *fakeHost) { h.fails("", errServFail) }, `error dns: "a.test": A record: 10.0.0.53:53: answered SERVFAIL`},
		{"NXDOMAIN", func(*fakeHost) {}, `error dns: "a.test": no endpoints: 10.0.0.53:53 answered NXDOMAIN`},
		{"NODATA", func(h *fakeHost) { h.set("a.test.", 60, "MX", "1 b.test.") }, `error dns: "a.test": no endpoints: 10.0.0.53:53 answered that there are no such records (NODATA)`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t)
				tt.fail(h)
				began := time.Now()
				cc, _ := h.follow(t, aTest)
				cc.expect(t, tt.want)
				if d := time.Since(began); d != 0 {
					t.Errorf("the error came after %v", d)
				}
				time.Sleep(time.Hour)
				cc.expect(t) // once

				h.fails("", nil)
				h.set("a.test.", 60, "A", "10.0.0.1")
				time.Sleep(15 * time.Second)
				cc.expect(t, "list 10.0.0.1")
			})
		})
	}
}

func TestOutageKeepsTheListForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		h.set("a.test.", 10, "A", "10.0.0.1")
		cc, _ := h.follow(t, aTest+"?grace=1m")
		cc.expect(t, "list 10.0.0.1")
		h.fails("", errServFail)
		time.Sleep(4 * time.Hour)
		cc.expect(t, `error dns: "a.test": A record: 10.0.0.53:53: answered SERVFAIL`)
		h.fails("", nil)
		time.Sleep(time.Minute)
		cc.expect(t, "list 10.0.0.1")
	})
}

func TestDenialTakesTheListAwayAfterTheGracePeriod(t *testing.T) {
	for _, tt := range []struct {
		params string
		grace  time.Duration
	}{{"", 5 * time.Minute}, {"?grace=1m", time.Minute}, {"?grace=0s", 0}} {
		t.Run(tt.params, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t)
				h.set("a.test.", 10, "A", "10.0.0.1")
				cc, _ := h.follow(t, aTest+tt.params)
				cc.expect(t, "list 10.0.0.1")
				h.set("a.test.", 10, "A") // NXDOMAIN from now on
				time.Sleep(8 * time.Second)
				cc.expect(t)
				time.Sleep(tt.grace)
				cc.expect(t)
				time.Sleep(4 * time.Second)
				cc.expect(t, "list ", `error dns: "a.test": no endpoints: 10.0.0.53:53 answered NXDOMAIN`)
				h.set("a.test.", 10, "A", "10.0.0.2")
				time.Sleep(11 * time.Second)
				cc.expect(t, "list 10.0.0.2")
			})
		})
	}
}

// A name that appears is found soon, whatever the denial says about its TTL; one
// that never does costs little.
func TestDenialIsCheckedWithBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		h.follow(t, aTest+"?min=1m")
		time.Sleep(10 * time.Minute)
		gaps := h.gaps("a.test. A")
		var got []float64
		for _, g := range gaps[:7] {
			got = append(got, g.Seconds())
		}
		if want := []float64{1, 2, 4, 8, 10, 10, 10}; !slices.Equal(got, want) {
			t.Errorf("waits = %v s, want %v", got, want)
		}
	})
}

// The policy must not lose half of its endpoints because one of two questions
// got no answer.
func TestOneFamilyThatFailsKeepsItsAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		h.set("a.test.", 10, "A", "10.0.0.1")
		h.set("a.test.", 10, "AAAA", "2001:db8::1")
		cc, _ := h.follow(t, aTest)
		cc.expect(t, "list 10.0.0.1 [2001:db8::1]")
		h.fails("A", errServFail)
		time.Sleep(time.Hour)
		cc.expect(t)
		h.set("a.test.", 10, "AAAA", "2001:db8::2")
		time.Sleep(11 * time.Second)
		cc.expect(t, "list 10.0.0.1 [2001:db8::2]")
		h.set("a.test.", 10, "AAAA") // nothing confirms the name any more
		time.Sleep(11 * time.Second)
		cc.expect(t, `error dns: "a.test": A record: 10.0.0.53:53: answered SERVFAIL`)
	})
}

func TestOneFamilyThatNeverAnswersDoesNotMatter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		h.set("a.test.", 10, "A", "10.0.0.1")
		h.fails("AAAA", errServFail)
		cc, _ := h.follow(t, aTest)
		cc.expect(t, "list 10.0.0.1")
		h.set("a.test.", 10, "A", "10.0.0.2")
		time.Sleep(11 * time.Second)
		cc.expect(t, "list 10.0.0.2")
	})
}

func TestManyChannelsShareTheirLookUps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		h.set("a.test.", 10, "A", "10.0.0.1")
		h.set("a.test.", 10, "AAAA", "2001:db8::1")
		var channels []*fakeChannel
		for range 1000 {
			cc, _ := h.follow(t, aTest)
			channels = append(channels, cc)
		}
		time.Sleep(100 * time.Second)
		synctest.Wait()
		if got := len(h.times["a.test. A"]); got < 9 || got > 13 {
			t.Errorf("look-ups of 1000 channels in ten TTLs = %d, want about 11", got)
		}
		h.set("a.test.", 10, "A", "10.0.0.2")
		time.Sleep(21 * time.Second)
		for _, cc := range channels {
			cc.expect(t, "list 10.0.0.1 [2001:db8::1]", "list 10.0.0.2 [2001:db8::1]")
		}
	})
}

func TestManyChannelsShareTheirFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		h.fails("", errServFail)
		for range 1000 {
			h.follow(t, aTest)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if got := len(h.times["a.test. A"]) / 2; got > 40 {
			t.Errorf("look-ups of 1000 channels in 2 minutes of outage = %d, want about as many as one has", got)
		}
	})
}
