package parity_test

import (
	"errors"
	"testing"

	"google.golang.org/grpc/attributes"
	grpcpickfirst "google.golang.org/grpc/balancer/pickfirst"
	"google.golang.org/grpc/resolver"
)

// The G group: health. Outlier detection on a channel is in module e2e.

func TestG1HealthIsIgnoredAtTheTop(t *testing.T) {
	onBoth(t, pickFirst, func(h *harness) {
		h.ManualHealth = true
		h.resolve(singles("a:1")...)
		h.forget()
		h.set(ready, "a:1")
		h.wantCalls("now READY")
	})
}

func TestG2HealthUnderAParent(t *testing.T) {
	for _, policy := range []string{pickFirst, roundRobin} {
		onBoth(t, policy, func(h *harness) {
			h.health = policy == pickFirst // E16: round_robin asks by itself
			h.ManualHealth = true
			h.resolve(singles("a:1")...)
			h.set(failure, "a:1")
			h.set(idle, "a:1")
			h.set(connecting, "a:1")
			h.forget()
			h.set(ready, "a:1")
			h.wantCalls("now CONNECTING", "health a:1") // no longer failing
			h.setHealth(ready, nil, "a:1")
			h.wantPicks("a:1")
			h.setHealth(failure, errors.New("NOT_SERVING"), "a:1")
			h.wantPicks("pickfirst: health check failure: NOT_SERVING")
			h.setHealth(connecting, nil, "a:1")
			h.wantPicks(parking)
			h.setHealth(ready, nil, "a:1")
			h.wantPicks("a:1")
			h.wantCalls("now READY", "now TRANSIENT_FAILURE", "now CONNECTING", "now READY")
			h.wantAlive("a:1 READY") // the connection was never touched
			// Each READY is registered for anew.
			h.set(idle, "a:1")
			h.exitIdle()
			h.forget()
			h.set(ready, "a:1")
			h.wantCalls("health a:1")
		})
	}
}

func TestG3EjectionHasNoError(t *testing.T) {
	onBoth(t, roundRobin, func(h *harness) {
		h.ManualHealth = true
		h.resolve(singles("a:1", "b:1")...)
		h.set(ready, "a:1", "b:1")
		h.setHealth(ready, nil, "a:1")
		h.setHealth(ready, nil, "b:1")
		h.wantPicks("a:1", "b:1")
		h.setHealth(failure, nil, "a:1")
		h.wantPicks("b:1", "b:1")
		h.setHealth(failure, nil, "b:1")
		h.wantPicks("pickfirst: health check failure: <nil>", "pickfirst: health check failure: <nil>")
		h.setHealth(ready, nil, "a:1")
		h.wantPicks("a:1", "a:1")
	})
}

// If this fails with a new grpc, the way in which balancers/pickfirst/health.go
// reads the switch no longer works.
func TestG4SwitchIsReadWithoutItsKey(t *testing.T) {
	enabled := func(a *attributes.Attributes) *attributes.Attributes {
		return grpcpickfirst.EnableHealthListener(resolver.State{Attributes: a}).Attributes
	}
	other := attributes.New("uncomparable", []int{1})
	for name, tt := range map[string]struct {
		attrs *attributes.Attributes
		want  bool
	}{
		"no attributes":           {nil, false},
		"another, uncomparable":   {other, false},
		"the switch":              {enabled(nil), true},
		"the switch twice":        {enabled(enabled(nil)), true},
		"the switch before":       {enabled(nil).WithValue("uncomparable", []int{1}), true},
		"the switch after":        {enabled(other), true},
		"the switch between":      {enabled(other).WithValue("k", map[string]int{}), true},
		"another of another type": {attributes.New(struct{}{}, true), false},
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, pickFirst, func(h *harness) {
				if err := h.update(resolver.State{Endpoints: singles("a:1"), Attributes: tt.attrs}); err != nil {
					h.Fatal(err)
				}
				h.forget()
				h.set(ready, "a:1")
				if tt.want {
					h.wantCalls("health a:1", "now READY") // CONNECTING is no news
				} else {
					h.wantCalls("now READY")
				}
			})
		})
	}
}

func TestG5ReportsOfALostConnectionAreIgnored(t *testing.T) {
	for _, policy := range []string{pickFirst, roundRobin} {
		onBoth(t, policy, func(h *harness) {
			h.health = policy == pickFirst
			h.ManualHealth = true
			h.resolve(singles("a:1")...)
			h.set(ready, "a:1")
			late := h.SubConn("a:1").HealthListener()
			h.resolve(singles("b:1")...)
			h.forget()
			late(ready)
			h.settle()
			h.wantCalls()
		})
	}
}
