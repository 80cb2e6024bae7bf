package pickfirst_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/attributes"
	"google.golang.org/grpc/balancer"
	grpcpickfirst "google.golang.org/grpc/balancer/pickfirst"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/serviceconfig"
	"google.golang.org/grpc/status"

	"github.com/evenkeel-grpc/evenkeel/balancers/pickfirst"
)

// Test names cite the lines of the behaviour list that the project keeps of
// grpc-go's pick_first (A to H).

func TestA1ReplacesTheBuiltin(t *testing.T) {
	if balancer.Get(pickfirst.Name) != builder(t) {
		t.Errorf("grpc's registry has a %T, want this package's", balancer.Get(pickfirst.Name))
	}
}

func TestA2ParseConfig(t *testing.T) {
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

func TestA5ForeignConfigIsRejected(t *testing.T) {
	h := newHarness(t, `{}`)
	h.config = struct {
		serviceconfig.LoadBalancingConfig
	}{}
	if err := h.resolve("a:1"); !errors.Is(err, balancer.ErrBadResolverState) {
		t.Errorf("UpdateClientConnState() = %v, want ErrBadResolverState", err)
	}
	h.config = nil
	h.mustResolve("a:1")
}

func TestB2EmptyListFailsEvenFromReady(t *testing.T) {
	for name, s := range map[string]resolver.State{
		"nothing": {}, "B3: endpoints without addresses": {Endpoints: []resolver.Endpoint{{}, {}}},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t, `{}`)
			h.mustResolve("a:1")
			h.set(ready, "a:1")
			h.TakeStates()
			if err := h.update(s); !errors.Is(err, balancer.ErrBadResolverState) {
				t.Errorf("UpdateClientConnState() = %v, want ErrBadResolverState", err)
			}
			h.wantStates(failure)
			h.wantPick("name resolver error: produced zero addresses")
			h.wantUnder()
			h.mustResolve("b:1")
			h.wantStates(connecting)
		})
	}
}

func TestB4AddressesAreUsedWithoutEndpoints(t *testing.T) {
	h := newHarness(t, `{}`)
	if err := h.update(resolver.State{Addresses: []resolver.Address{{Addr: "a:1"}}}); err != nil {
		t.Fatal(err)
	}
	h.wantUnder("a:1")
	if err := h.update(resolver.State{Addresses: []resolver.Address{{Addr: "a:1"}}, Endpoints: endpoints("b:1")}); err != nil {
		t.Fatal(err)
	}
	h.wantUnder("b:1")
}

func TestB10ConnectedAddressStays(t *testing.T) {
	h := newHarness(t, `{}`)
	h.mustResolve("a:1", "b:1")
	h.set(ready, "a:1")
	h.TakeStates()
	h.mustResolve("c:1", "a:1")
	h.wantStates()
	h.wantUnder("a:1")
	h.mustResolve("c:1", "b:1") // B13: one that leaves is dropped at once
	h.wantStates(connecting)
	h.wantUnder("c:1")
}

func TestB12IdleStaysIdleOnAnUpdate(t *testing.T) {
	h := newHarness(t, `{}`)
	h.mustResolve("a:1")
	h.set(ready, "a:1")
	h.set(idle, "a:1")
	h.wantStates(connecting, ready, idle)
	h.mustResolve("b:1")
	h.wantStates()
	h.wantUnder()
}

func TestB14OnlyAttributesOfTheConnectionReplaceIt(t *testing.T) {
	attrs := attributes.New("k", "v")
	for name, tt := range map[string]struct {
		addr     resolver.Address
		replaced bool
	}{
		"attributes":          {resolver.Address{Addr: "a:1", Attributes: attrs}, true},
		"server name":         {resolver.Address{Addr: "a:1", ServerName: "x"}, true},
		"balancer attributes": {resolver.Address{Addr: "a:1", BalancerAttributes: attrs}, false},
		"metadata":            {resolver.Address{Addr: "a:1", Metadata: 1}, false},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t, `{}`)
			h.mustResolve("a:1")
			h.set(ready, "a:1")
			if err := h.update(resolver.State{Endpoints: []resolver.Endpoint{{Addresses: []resolver.Address{tt.addr}}}}); err != nil {
				t.Fatal(err)
			}
			if got := len(h.SubConns()) > 1; got != tt.replaced {
				t.Errorf("connection replaced = %v, want %v", got, tt.replaced)
			}
		})
	}
}

func TestC3AttemptsStart250msApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, `{}`)
		h.mustResolve("a:1", "b:1", "c:1")
		h.set(connecting, "a:1")
		time.Sleep(250*time.Millisecond - 1)
		h.wantUnder("a:1")
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		h.wantUnder("a:1", "b:1")
		h.set(connecting, "b:1")
		h.set(failure, "a:1") // C4: out of turn, the wait for b:1 goes on
		h.wantUnder("a:1", "b:1")
		h.set(failure, "b:1") // C4: in turn
		h.wantUnder("a:1", "b:1", "c:1")
		h.set(ready, "c:1") // C7
		h.wantUnder("c:1")
		h.wantPick("c:1")
	})
}

func TestC5FailsWhenEveryAddressHas(t *testing.T) {
	h := newHarness(t, `{}`)
	h.mustResolve("a:1", "b:1")
	h.set(failure, "a:1")
	h.set(idle, "a:1")
	h.wantStates(connecting)
	h.set(failure, "b:1")
	h.wantStates(failure)
	h.wantPick("b:1 refused")
	if got := h.SubConn("a:1").Connects(); got != 2 {
		t.Errorf("Connect calls on a:1 = %d, want it reconnected at the end of the pass", got)
	}
	// C6: afterwards each reconnects by itself, one report per round.
	h.set(failure, "a:1")
	h.wantStates()
	h.set(idle, "b:1")
	h.set(failure, "b:1")
	h.wantStates(failure)
	h.set(connecting, "a:1")
	h.set(ready, "a:1")
	h.wantStates(ready)
}

func TestC10LostConnectionGoesIdleUntilTheNextRPC(t *testing.T) {
	h := newHarness(t, `{}`)
	h.mustResolve("a:1", "b:1")
	h.set(failure, "a:1")
	h.set(ready, "b:1")
	h.set(idle, "b:1")
	h.wantStates(connecting, ready, idle)
	h.wantPick(balancer.ErrNoSubConnAvailable.Error())
	h.wantStates(connecting) // C11
	if got := h.SubConn("a:1").Connects(); got != 1 {
		t.Errorf("Connect calls on the new SubConn of a:1 = %d, want the pass to start from the top", got)
	}
}

func TestC10ConnectionLostBeforeItsReady(t *testing.T) {
	h := newHarness(t, `{}`)
	h.mustResolve("a:1")
	h.set(connecting, "a:1")
	h.set(idle, "a:1")
	h.wantStates(connecting, idle)
}

func TestD3ResolverErrors(t *testing.T) {
	h := newHarness(t, `{}`)
	h.balancer.ResolverError(errors.New("down"))
	h.wantStates(failure)
	h.wantPick("name resolver error: down")
	h.mustResolve("a:1")
	h.wantStates(connecting)
	h.balancer.ResolverError(errors.New("down"))
	h.wantStates() // ignored while there is hope
	h.set(failure, "a:1")
	h.balancer.ResolverError(errors.New("still down"))
	h.wantStates(failure, failure)
	h.wantPick("name resolver error: still down")
}

func TestD4ResolverStatusDoesNotEndWaitForReadyRPCs(t *testing.T) {
	h := newHarness(t, `{}`)
	h.balancer.ResolverError(status.Error(codes.Unavailable, "registry is down"))
	_, err := h.State().Picker.Pick(balancer.PickInfo{})
	if s, ok := status.FromError(err); ok {
		t.Errorf("Pick() has status %v, want a plain error", s)
	}
}

func TestD7TransientFailureIsStickyOverAnUpdate(t *testing.T) {
	h := newHarness(t, `{}`)
	h.mustResolve("a:1")
	h.set(failure, "a:1")
	h.TakeStates()
	h.mustResolve("a:1", "b:1")
	h.set(connecting, "b:1") // grpc-go reports CONNECTING here, against A62
	for _, s := range h.TakeStates() {
		if s != failure {
			t.Errorf("published %v, want TRANSIENT_FAILURE until READY", s)
		}
	}
	h.set(ready, "b:1")
	h.wantStates(ready)
}

func TestG1HealthIsIgnoredAtTheTop(t *testing.T) {
	h := newHarness(t, `{}`)
	h.ManualHealth = true
	h.mustResolve("a:1")
	h.set(ready, "a:1")
	h.wantStates(connecting, ready)
}

func TestG2HealthListenerUnderAParent(t *testing.T) {
	h := newHarness(t, `{}`)
	h.ManualHealth = true
	s := grpcpickfirst.EnableHealthListener(resolver.State{Endpoints: endpoints("a:1"),
		// G4: other attributes do not get in the way, comparable or not.
		Attributes: attributes.New("uncomparable", []int{1})})
	if err := h.update(s); err != nil {
		t.Fatal(err)
	}
	h.set(ready, "a:1")
	h.wantStates(connecting)
	sc := h.SubConn("a:1")
	sc.SetHealth(failure, nil) // G3: an ejection has no error
	h.wantStates(failure)
	h.wantPick("pickfirst: health check failure: <nil>")
	sc.SetHealth(connecting, nil)
	sc.SetHealth(ready, nil)
	h.wantStates(connecting, ready)
	h.wantPick("a:1")
}

func TestB5ShuffleMovesEndpointsNotAddresses(t *testing.T) {
	first := map[string]int{}
	for range 200 {
		h := newHarness(t, `{"shuffleAddressList":true}`)
		list := []resolver.Endpoint{
			{Addresses: []resolver.Address{{Addr: "a:1"}, {Addr: "a:2"}}},
			{Addresses: []resolver.Address{{Addr: "b:1"}, {Addr: "b:2"}}},
		}
		if err := h.update(resolver.State{Endpoints: list}); err != nil {
			t.Fatal(err)
		}
		if list[0].Addresses[0].Addr != "a:1" {
			t.Fatal("the resolver's own list was changed")
		}
		first[h.under()[0]]++
	}
	if first["a:1"]+first["b:1"] != 200 || first["a:1"] == 0 || first["b:1"] == 0 {
		t.Errorf("first addresses = %v, want a:1 and b:1 only, each some of the time", first)
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

func TestFailbackSurvivesChangesOnTheWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, `{"failback":"1s"}`)
		h.mustResolve("a:1", "b:1")
		h.set(failure, "a:1")
		h.set(ready, "b:1")
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

func TestCloseStopsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, `{}`)
		h.mustResolve("a:1", "b:1")
		h.set(connecting, "a:1")
		h.balancer.Close()
		time.Sleep(time.Second)
		synctest.Wait()
		h.wantUnder()
		h.wantStates(connecting)
	})
}

func TestB8AddressesAreTriedOnce(t *testing.T) {
	h := newHarness(t, `{}`)
	h.mustResolve("a:1", "b:1", "a:1")
	h.set(failure, "a:1", "b:1")
	h.wantStates(connecting, failure)
	var got []string
	for _, sc := range h.SubConns() {
		got = append(got, sc.Addr.Addr)
	}
	if want := []string{"a:1", "b:1"}; !slices.Equal(got, want) {
		t.Errorf("SubConns = %q, want %q", got, fmt.Sprint(want))
	}
}
