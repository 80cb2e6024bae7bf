package parity_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/resolver"
)

// Random histories: one random sequence of everything that can happen to a
// policy, done to grpc-go's and to ours in the same bubble. After every step both
// must show the same state, the same picks, and the same SubConns, connecting or
// not; pick_first must have made the same calls. What is left out, because it is known to differ, stands at each kind.

// kind is one way to make up histories.
type kind struct {
	policy string
	// health makes the parent ask for the health listener.
	health bool
	// update makes up a resolver update; fixed says that it may be sent only once.
	update func(r *rand.Rand, h *history) []resolver.Endpoint
	fixed  bool
	// resolverErrors includes errors of the resolver.
	resolverErrors bool
}

// kinds leave out endpoints without addresses (defect B3).
var kinds = map[string]kind{
	"pick_first": {policy: pickFirst, update: addressesOfOne, resolverErrors: true},
	// As under another policy.
	"pick_first with health": {policy: pickFirst, health: true, update: addressesOfOne, resolverErrors: true},
	// Resolver errors change texts (defects D3 and E12).
	"round_robin": {policy: roundRobin, health: true, update: singleAddresses},
	// Then only states and SubConns are compared.
	"round_robin with resolver errors": {policy: roundRobin, health: true, update: singleAddresses, resolverErrors: true},
	// A resolver update restarts happy eyeballs in each of grpc-go's endpoints, and
	// in ours only where addresses have changed (E4), so there is one update.
	"round_robin with several addresses": {policy: roundRobin, health: true, update: severalAddresses, fixed: true},
}

func TestRandomHistoriesOnBothSides(t *testing.T) {
	for name, k := range kinds {
		t.Run(name, func(t *testing.T) {
			for range 25 {
				seed := rand.Uint64()
				t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { runHistory(t, k, seed) })
				})
			}
		})
	}
}

// history is one random sequence on both sides.
type history struct {
	*testing.T
	kind

	grpcGo, evenkeel *harness
	done             []string // the steps so far
	list             []string // addresses of the last update
}

func runHistory(t *testing.T, k kind, seed uint64) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 0))
	theirs, ours := builders(t, k.policy)
	h := &history{T: t, kind: k, grpcGo: newHarness(t, theirs, true), evenkeel: newHarness(t, ours, false)}
	for _, side := range h.sides() {
		side.ManualHealth, side.health = k.health, k.health && k.policy == pickFirst
	}
	// ExitIdle before any update makes grpc-go's round_robin fail. No channel does
	// that: a policy is built for an update.
	h.sendUpdate(r)
	for range 300 {
		h.compare()
		h.step(r)
	}
	h.compare()
	for _, side := range h.sides() {
		side.close()
	}
}

func (h *history) sides() []*harness { return []*harness{h.grpcGo, h.evenkeel} }

// both does one thing to both sides.
func (h *history) both(what string, f func(side *harness)) {
	h.done = append(h.done, what)
	for _, side := range h.sides() {
		f(side)
	}
}

func (h *history) step(r *rand.Rand) {
	switch n := r.IntN(100); {
	case n < 10:
		h.sendUpdate(r)
	case n < 14 && h.resolverErrors:
		h.both("resolver error", func(side *harness) { side.resolverError("registry is down") })
	case n < 18:
		h.both("ExitIdle", (*harness).exitIdle)
	case n < 22:
		h.both("pick", func(side *harness) { h.tryPick(side) })
	case n < 32:
		d := time.Duration(1+r.IntN(300)) * time.Millisecond
		h.both(fmt.Sprint("wait ", d), func(*harness) {})
		time.Sleep(d) // Both are in the same bubble.
		h.both("", (*harness).settle)
	case n < 42 && h.health:
		h.report(r)
	default:
		h.move(r)
	}
}

// tryPick picks once if there is a picker.
func (h *history) tryPick(side *harness) {
	if side.State().Picker != nil {
		side.pick()
	}
}

func (h *history) sendUpdate(r *rand.Rand) {
	if h.fixed && h.list != nil {
		return
	}
	list := h.update(r, h)
	h.list = nil
	for _, e := range list {
		for _, a := range e.Addresses {
			h.list = append(h.list, a.Addr)
		}
	}
	var errs []error
	h.both(fmt.Sprint("update ", list), func(side *harness) {
		errs = append(errs, side.update(resolver.State{Endpoints: list}))
	})
	if !errors.Is(errs[0], errs[1]) {
		h.fail("UpdateClientConnState() = %v of grpc-go, %v of ours", errs[0], errs[1])
	}
}

// addressesOfOne makes up what pick_first gets. A new address in
// TRANSIENT_FAILURE is left out (defect D7).
func addressesOfOne(r *rand.Rand, h *history) []resolver.Endpoint {
	from := []string{"a:1", "b:1", "10.0.0.1:1", "10.0.0.2:1", "[::1]:1", "[::2]:1"}
	if h.grpcGo.State().ConnectivityState == failure && len(h.list) > 0 {
		from = h.list
	}
	var list []resolver.Endpoint
	for range r.IntN(5) {
		e := multi(from[r.IntN(len(from))])
		if r.IntN(2) == 0 {
			e.Addresses = append(e.Addresses, multi(from[r.IntN(len(from))]).Addresses...)
		}
		list = append(list, e)
	}
	return list
}

// singleAddresses makes up endpoints with one address each.
func singleAddresses(r *rand.Rand, _ *history) []resolver.Endpoint {
	var list []resolver.Endpoint
	for range r.IntN(8) {
		list = append(list, multi(fmt.Sprint("e", r.IntN(8), ":1")))
	}
	return list
}

// severalAddresses makes up endpoints with up to three addresses each, which
// they do not share: a SubConn is found by its address.
func severalAddresses(r *rand.Rand, _ *history) []resolver.Endpoint {
	var list []resolver.Endpoint
	for i := range 1 + r.IntN(4) {
		var addrs []string
		for j := range 1 + r.IntN(3) {
			addrs = append(addrs, fmt.Sprint("e", i, "-", j, ":1"))
		}
		list = append(list, multi(addrs...))
	}
	return list
}

// move moves a random SubConn to a state that grpc can move it to.
func (h *history) move(r *rand.Rand) {
	var able []string
	for _, sc := range h.grpcGo.SubConns() {
		if !sc.IsShutdown() && (sc.State() != idle || sc.Asked()) {
			able = append(able, sc.Addr.Addr)
		}
	}
	if len(able) == 0 {
		return
	}
	slices.Sort(able)
	addr := able[r.IntN(len(able))]
	next := follow(r, h.grpcGo.SubConn(addr).State())
	h.both(fmt.Sprint(addr, " ", next), func(side *harness) { side.set(next, addr) })
}

// follow returns a state that can follow another one of a real SubConn. From
// CONNECTING it is IDLE if the connection was lost before anybody heard of it.
func follow(r *rand.Rand, s connectivity.State) connectivity.State {
	switch s {
	case idle:
		return connecting
	case connecting:
		return []connectivity.State{ready, ready, failure, failure, failure, idle}[r.IntN(6)]
	default:
		return idle
	}
}

// report makes a READY SubConn's health something.
func (h *history) report(r *rand.Rand) {
	for _, sc := range h.grpcGo.SubConns() {
		if sc.IsShutdown() || sc.State() != ready || r.IntN(2) == 0 {
			continue
		}
		s := []connectivity.State{ready, ready, connecting, failure}[r.IntN(4)]
		h.both(fmt.Sprint(sc.Addr.Addr, " health ", s), func(side *harness) {
			side.setHealth(s, errors.New("NOT_SERVING"), sc.Addr.Addr)
		})
		return
	}
}

func (h *history) compare() {
	theirs, ours := h.grpcGo, h.evenkeel
	if a, b := theirs.State().ConnectivityState, ours.State().ConnectivityState; a != b {
		h.fail("state is %v of grpc-go, %v of ours", a, b)
	}
	if a, b := did(theirs), did(ours); h.policy == pickFirst && a != b {
		h.fail("the last step's calls are\n\t%s of grpc-go,\n\t%s of ours", a, b)
	}
	if a, b := inUse(theirs), inUse(ours); a != b {
		h.fail("SubConns are\n\t%s of grpc-go,\n\t%s of ours", a, b)
	}
	if h.policy == roundRobin && h.resolverErrors && ours.State().ConnectivityState != ready {
		return
	}
	if a, b := turn(theirs), turn(ours); a != b {
		h.fail("picks are\n\t%s of grpc-go,\n\t%s of ours", a, b)
	}
}

func (h *history) fail(format string, args ...any) {
	h.Helper()
	h.Fatalf(format+"\nafter\n\t%s", append(args, strings.Join(h.done, "\n\t"))...)
}

// did returns the policy's calls since the last time, sorted: grpc-go shuts down
// and connects in the order of a map.
func did(h *harness) string {
	calls := h.TakeCalls()
	slices.Sort(calls)
	return strings.Join(calls, ", ")
}

// inUse returns the SubConns in use with their states, and which of them have
// been asked to connect.
func inUse(h *harness) string {
	var list []string
	for _, sc := range h.SubConns() {
		if !sc.IsShutdown() {
			list = append(list, fmt.Sprintf("%s %v asked=%v", sc.Addr.Addr, sc.State(), sc.Asked()))
		}
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

// turn returns what as many picks as there may be endpoints give, each once. A
// pick in IDLE would change the state; picks are steps of their own, too.
func turn(h *harness) string {
	if s := h.State(); s.Picker == nil || s.ConnectivityState == idle {
		return ""
	}
	var got []string
	for range 8 {
		got = append(got, h.pick())
	}
	slices.Sort(got)
	return strings.Join(slices.Compact(got), ", ")
}
