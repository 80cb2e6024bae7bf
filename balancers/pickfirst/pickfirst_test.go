package pickfirst_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/evenkeel-grpc/evenkeel/balancers/pickfirst"
	"github.com/evenkeel-grpc/evenkeel/registry"
)

// The tests of this file are about what grpc-go's pick_first does not have. What
// it has is tested beside it, in balancers/internal/parity.

func TestParseConfig(t *testing.T) {
	for js, want := range map[string]pickfirst.Config{
		`{}`:                          {},
		`null`:                        {},
		`{"shuffleAddressList":true}`: {ShuffleAddressList: true},
		`{"SHUFFLEADDRESSLIST":true}`: {ShuffleAddressList: true},
		`{"unknown":{"a":[1]}}`:       {},
		`{"failback":"30s"}`:          {Failback: pickfirst.Failback(30 * time.Second)},
		`{"failback":"soon"}`:         {},
		`{"failback":"1ms"}`:          {},
		`{"failback":30}`:             {},
		`{"failback":null}`:           {},
		`{"failback":{"a":[]}}`:       {},
	} {
		if got := parse(t, js); got != want {
			t.Errorf("ParseConfig(%s) = %+v, want %+v", js, got, want)
		}
	}
	for _, js := range []string{``, `{`, `[]`, `7`, `{"shuffleAddressList":"yes"}`} {
		if _, err := parser(t).ParseConfig(json.RawMessage(js)); err == nil {
			t.Errorf("ParseConfig(%q) = nil error", js)
		}
	}
}

// ParseConfig ignores them, as grpc-go ignores any failback.
func TestStrictCheckRefusesWhatIsIgnored(t *testing.T) {
	for js, want := range map[string]string{
		`{"failback":"30s","shuffleAddressList":true}`: "",
		`{"failback":null}`:                            "",
		`{"failback":"30"}`:                            `want a duration of at least 1s, such as "30s", got string "30"`,
		`{"failback":"1ms"}`:                           `want a duration of at least 1s, such as "30s", got string "1ms"`,
		`{"failback":30}`:                              `want a duration of at least 1s, such as "30s", got number 30`,
		`{"failbak":"30s"}`:                            `did you mean "failback"? (accepted: failback, shuffleAddressList)`,
	} {
		err := registry.CheckServiceConfig(`{"loadBalancingConfig":[{"pick_first":` + js + `}]}`)
		if got := fmt.Sprint(err); (err == nil) != (want == "") || !strings.Contains(got, want) {
			t.Errorf("CheckServiceConfig with %s = %v, want %q", js, err, want)
		}
	}
}

func TestFailbackMovesToAnEarlierAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, `{"failback":"30s"}`)
		h.mustResolve("a:1", "b:1", "c:1")
		h.set(failure, "a:1", "b:1")
		h.set(ready, "c:1")
		h.wantStates(connecting, ready)
		h.wantUnder("c:1")
		next := func() {
			time.Sleep(30 * time.Second)
			synctest.Wait()
		}
		next()
		h.wantUnder("c:1", "a:1")
		h.set(failure, "a:1")
		h.wantUnder("c:1", "b:1")
		h.set(failure, "b:1")
		h.wantUnder("c:1") // until the next time
		h.wantStates()
		h.wantPick("c:1")
		next()
		h.set(failure, "a:1")
		h.set(ready, "b:1")
		h.wantStates(ready) // a new picker, never another state
		h.wantPick("b:1")
		h.wantUnder("b:1")
		next()
		h.set(ready, "a:1")
		h.wantPick("a:1")
		h.TakeStates()
		next()
		h.wantUnder("a:1") // it is the first: nothing more to try
		h.wantStates()
	})
}

func TestFailbackIsOffByDefault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, `{}`)
		h.mustResolve("a:1", "b:1")
		h.set(failure, "a:1")
		h.set(ready, "b:1")
		time.Sleep(time.Hour)
		synctest.Wait()
		h.wantUnder("b:1")
	})
}

func TestFailbackGoesOnAfterAConnectionThatWasLostAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, `{"failback":"1s"}`)
		h.mustResolve("a:1", "b:1", "c:1")
		h.set(failure, "a:1", "b:1")
		h.set(ready, "c:1")
		for range 3 {
			time.Sleep(time.Second)
			synctest.Wait()
			h.wantUnder("c:1", "a:1")
			h.set(connecting, "a:1")
			h.set(idle, "a:1") // as grpc reports it, see grpc-go #7862
			h.wantUnder("c:1", "b:1")
			h.set(failure, "b:1")
			h.wantUnder("c:1")
		}
		h.wantPick("c:1")
	})
}

func TestFailbackFollowsItsConfig(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, `{"failback":"1h"}`)
		h.mustResolve("a:1", "b:1")
		h.set(failure, "a:1")
		h.set(ready, "b:1")
		next := func(d time.Duration, want ...string) {
			t.Helper()
			time.Sleep(d)
			synctest.Wait()
			h.wantUnder(want...)
		}
		h.config = parse(t, `{"failback":"10s"}`)
		h.mustResolve("a:1", "b:1")
		next(9*time.Second, "b:1")
		h.mustResolve("a:1", "b:1") // The same config: the wait goes on.
		next(time.Second, "b:1", "a:1")
		h.set(failure, "a:1")
		h.config = parse(t, `{}`)
		h.mustResolve("a:1", "b:1")
		next(2*time.Hour, "b:1")
	})
}

func TestFailbackSurvivesChangesOnTheWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, `{"failback":"1s"}`)
		h.mustResolve("a:1", "b:1")
		h.set(failure, "a:1")
		h.set(ready, "b:1")
		time.Sleep(time.Second)
		synctest.Wait()
		h.wantUnder("b:1", "a:1")
		h.mustResolve("a:1", "b:1") // the same again
		h.wantUnder("b:1", "a:1")
		h.mustResolve("b:1", "a:1") // the connected one is the first now
		h.wantUnder("b:1")
		h.mustResolve("a:1", "b:1")
		time.Sleep(time.Second)
		synctest.Wait()
		h.wantUnder("b:1", "a:1")
		h.mustResolve("c:1", "b:1") // the address being tried leaves
		h.wantUnder("b:1")
		time.Sleep(time.Second)
		synctest.Wait()
		h.wantUnder("b:1", "c:1")
		h.set(idle, "b:1") // the connection is lost meanwhile
		h.wantUnder("b:1")
		if got := h.TakeStates(); got[len(got)-1] != idle {
			t.Errorf("published %v, want IDLE last", got)
		}
		h.balancer.Close()
	})
}
