package scstate_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"

	"github.com/evenkeel-grpc/evenkeel/scstate"
)

func TestInlineAChangeHasHadItsEffectOnReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &fakePolicy{}
		b := build(t, p, &fakeClientConn{})
		sc, fake := p.newSubConn(t, "sc")
		p.logHealth(sc, "sc")
		var want []string
		for _, step := range []struct {
			call func()
			want string
		}{
			{func() { fake.report(connectivity.Ready) }, "sc READY"},
			{func() { fake.reportHealth(connectivity.Ready) }, "sc health READY"},
			{func() { _ = b.UpdateClientConnState(update("x")) }, "update x"},
			{func() { b.ResolverError(errors.New("x")) }, "error x"},
			{b.ExitIdle, "exit idle"},
			{func() { scstate.Post(p.cc, func() { p.note("posted") }) }, "posted"},
			{b.Close, "close"},
		} {
			step.call()
			want = append(want, step.want)
			if diff := cmp.Diff(want, p.calls()); diff != "" {
				t.Fatalf("calls on return (-want +got):\n%s", diff)
			}
		}
	})
}

// Inline too, whoever comes while another goroutine runs the policy does not
// wait for it.
func TestABusyPolicyDelaysNobody(t *testing.T) {
	inEachMode(t, func(t bubble) {
		p := &fakePolicy{}
		b := build(t, p, &fakeClientConn{}, t.opts...)
		_, fake := p.newSubConn(t, "sc")
		free := occupy(t, p)
		fake.report(connectivity.Ready) // A call that waited would be a deadlock of the bubble.
		b.ResolverError(errors.New("x"))
		b.ExitIdle()
		scstate.Post(p.cc, func() {})
		b.Close()
		free()
	})
}

func TestDetachedAPolicyThatSleepsDelaysNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const nap = time.Hour
		p := &fakePolicy{}
		sleep := func() { time.Sleep(nap) }
		p.on = map[string]func(){
			"sc READY": sleep, "sc health READY": sleep, "error x": sleep, "exit idle": sleep, "close": sleep,
		}
		p.onUpdate = func(balancer.ClientConnState) error { sleep(); return nil }
		b := build(t, p, &fakeClientConn{}, scstate.Detached())
		sc, fake := p.newSubConn(t, "sc")
		p.logHealth(sc, "sc")
		start := time.Now()
		fake.report(connectivity.Ready)
		if err := b.UpdateClientConnState(update("x")); err != nil {
			t.Errorf("UpdateClientConnState of a busy policy = %v, want nil", err)
		}
		fake.reportHealth(connectivity.Ready)
		b.ResolverError(errors.New("x"))
		b.ExitIdle()
		scstate.Post(p.cc, sleep)
		b.Close()
		if got := time.Since(start); got != 0 {
			t.Errorf("the callers were delayed by %v, want 0", got)
		}
		time.Sleep(6 * nap)
		synctest.Wait()
		if p.closed.Load() {
			t.Error("the policy was closed before it had slept seven times")
		}
		time.Sleep(nap)
		synctest.Wait()
		want := []string{"sc READY", "update x", "sc health READY", "error x", "exit idle", "close"}
		if diff := cmp.Diff(want, p.calls()); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
	})
}

// The policy answers an update at once, but another goroutine makes it sleep at
// about the same time: the update either comes first, or does not wait.
func TestDetachedAnUpdateNeverWaitsForAnotherCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 2000 {
			p := &fakePolicy{}
			b := build(t, p, &fakeClientConn{}, scstate.Detached())
			go scstate.Post(p.cc, func() { time.Sleep(time.Hour) })
			start := time.Now()
			_ = b.UpdateClientConnState(update("x"))
			if got := time.Since(start); got != 0 {
				t.Errorf("UpdateClientConnState took %v, want 0", got)
			}
		}
		time.Sleep(2 * time.Hour) // Until the last posted call is done.
	})
}

// The bubble fails if a goroutine is left when the test ends.
func TestAnIdleFeedKeepsNoGoroutine(t *testing.T) {
	inEachMode(t, func(t bubble) {
		for range 1000 {
			p := &fakePolicy{}
			b := build(t, p, &fakeClientConn{}, t.opts...)
			_, fake := p.newSubConn(t, "sc")
			if err := b.UpdateClientConnState(update("x")); err != nil {
				t.Errorf("UpdateClientConnState = %v, want nil", err)
			}
			fake.report(connectivity.Ready)
			b.ExitIdle()
		}
	})
}

func TestCallsDuringBuildWaitForItsEnd(t *testing.T) {
	inEachMode(t, func(t bubble) {
		cc := &fakeClientConn{on: map[string]func(*fakeSubConn){
			"SubConn.Connect": func(sc *fakeSubConn) { sc.report(connectivity.Connecting) },
		}}
		p := &fakePolicy{}
		p.onBuild = func(p *fakePolicy) {
			sc, fake := p.newSubConn(t, "sc")
			sc.Connect()
			p.logHealth(sc, "sc")
			fake.reportHealth(connectivity.Ready)
			if !scstate.Post(p.cc, func() { p.call("posted", nil) }) {
				t.Error("Post during Build = false, want true")
			}
			go fake.report(connectivity.Ready)
			synctest.Wait()
			p.note("built")
		}
		build(t, p, cc, t.opts...)
		synctest.Wait()
		want := []string{"build", "built", "sc CONNECTING", "sc health READY", "posted", "sc READY"}
		if diff := cmp.Diff(want, p.calls()); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
	})
}
