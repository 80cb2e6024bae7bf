package scstate_test

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"

	"github.com/evenkeel-grpc/evenkeel/scstate"
)

func TestCallsRunInArrivalOrder(t *testing.T) {
	inEachMode(t, func(t bubble) {
		p := &fakePolicy{}
		b := build(t, p, &fakeClientConn{}, t.opts...)
		sc, fake := p.newSubConn(t, "sc")
		p.logHealth(sc, "sc")
		free := occupy(t, p)
		for _, arrive := range []func(){
			func() { fake.report(connectivity.Connecting) },
			func() { _ = b.UpdateClientConnState(update("first")) },
			func() { fake.report(connectivity.Ready) },
			func() { fake.reportHealth(connectivity.Ready) },
			func() { b.ResolverError(errors.New("x")) },
			func() { fake.reportHealth(connectivity.TransientFailure) },
			b.ExitIdle,
			func() { scstate.Post(p.cc, func() { p.call("posted", nil) }) },
			func() { fake.report(connectivity.Idle) },
			func() { _ = b.UpdateClientConnState(update("second")) },
			b.Close,
			func() { fake.report(connectivity.Connecting) },
			b.ExitIdle,
			b.Close,
		} {
			go arrive()
			synctest.Wait()
		}
		if diff := cmp.Diff([]string{"busy"}, p.calls()); diff != "" {
			t.Errorf("calls while busy (-want +got):\n%s", diff)
		}
		free()
		synctest.Wait()
		want := []string{
			"busy", "sc CONNECTING", "update first", "sc READY", "sc health READY", "error x",
			"sc health TRANSIENT_FAILURE", "exit idle", "posted", "sc IDLE", "update second", "close",
		}
		if diff := cmp.Diff(want, p.calls()); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
	})
}

func TestCallsNeverOverlap(t *testing.T) {
	inEachMode(t, func(t bubble) {
		p := &fakePolicy{} // It notes a call beside another one as a fault.
		b := build(t, p, &fakeClientConn{}, t.opts...)
		const goroutines, rounds = 64, 40
		var (
			wg    sync.WaitGroup
			calls atomic.Int32
		)
		for i := range goroutines {
			sc, fake := p.newSubConn(t, strconv.Itoa(i))
			p.logHealth(sc, "x")
			wg.Go(func() {
				for range rounds {
					fake.report(connectivity.Connecting)
					fake.reportHealth(connectivity.Ready)
					_ = b.UpdateClientConnState(update("x"))
					b.ResolverError(errors.New("x"))
					b.ExitIdle()
					scstate.Post(p.cc, func() { p.call("posted", func() { calls.Add(1) }) })
				}
			})
		}
		wg.Wait()
		synctest.Wait()
		if got, want := len(p.calls()), goroutines*rounds*6; got != want {
			t.Errorf("calls = %d, want %d", got, want)
		}
		if got, want := calls.Load(), int32(goroutines*rounds); got != want {
			t.Errorf("posted calls = %d, want %d", got, want)
		}
	})
}

func TestNothingIsCalledAfterClose(t *testing.T) {
	inEachMode(t, func(t bubble) {
		p := &fakePolicy{}
		b := build(t, p, &fakeClientConn{}, t.opts...)
		sc, fake := p.newSubConn(t, "sc")
		p.logHealth(sc, "sc")
		b.Close()
		b.Close()
		fake.report(connectivity.Ready)
		fake.reportHealth(connectivity.Ready)
		b.ResolverError(errors.New("x"))
		b.ExitIdle()
		if err := b.UpdateClientConnState(update("x")); err == nil {
			t.Error("UpdateClientConnState after Close = nil, want an error")
		}
		synctest.Wait()
		if err := b.UpdateClientConnState(update("x")); err == nil {
			t.Error("UpdateClientConnState of an idle feed after Close = nil, want an error")
		}
		if scstate.Post(p.cc, func() { p.call("posted", nil) }) {
			t.Error("Post after Close = true, want false")
		}
		if diff := cmp.Diff([]string{"close"}, p.calls()); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
	})
}

// A Post that returns true is run: somebody may be waiting for that.
func TestPostIsRefusedFromTheMomentOfClose(t *testing.T) {
	inEachMode(t, func(t bubble) {
		p := &fakePolicy{}
		b := build(t, p, &fakeClientConn{}, t.opts...)
		var accepted bool
		p.on = map[string]func(){"close": func() {
			accepted = scstate.Post(p.cc, func() { p.call("posted", nil) })
		}}
		b.Close()
		synctest.Wait()
		if accepted {
			t.Error("Post from inside Close = true, want false")
		}
	})
}

func TestEveryAcceptedPostRunsWhenCloseRaces(t *testing.T) {
	inEachMode(t, func(t bubble) {
		for range 200 {
			p := &fakePolicy{}
			b := build(t, p, &fakeClientConn{}, t.opts...)
			var (
				wg            sync.WaitGroup
				accepted, ran atomic.Int32
			)
			for range 4 {
				wg.Go(func() {
					for scstate.Post(p.cc, func() { ran.Add(1) }) {
						accepted.Add(1)
					}
				})
			}
			wg.Go(b.Close)
			wg.Wait()
			synctest.Wait()
			if ran.Load() != accepted.Load() {
				t.Fatalf("posted functions that ran = %d, want the %d accepted", ran.Load(), accepted.Load())
			}
		}
	})
}

func TestPostRefusesAForeignClientConn(t *testing.T) {
	if scstate.Post(&fakeClientConn{}, func() { t.Error("the function was run") }) {
		t.Error("Post(foreign ClientConn) = true, want false")
	}
	if scstate.Post(nil, func() { t.Error("the function was run") }) {
		t.Error("Post(nil) = true, want false")
	}
}

func TestAnIdleFeedReturnsThePolicysError(t *testing.T) {
	inEachMode(t, func(t bubble) {
		p := &fakePolicy{onUpdate: func(balancer.ClientConnState) error { return balancer.ErrBadResolverState }}
		cc := &fakeClientConn{}
		b := build(t, p, cc, t.opts...)
		if err := b.UpdateClientConnState(update("x")); !errors.Is(err, balancer.ErrBadResolverState) {
			t.Errorf("UpdateClientConnState = %v, want %v", err, balancer.ErrBadResolverState)
		}
		if got := cc.resolved(); got != 0 {
			t.Errorf("ResolveNow calls = %d, want 0: grpc has the error", got)
		}
	})
}

func TestInlineAnUpdateWaitsForItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &fakePolicy{onUpdate: func(balancer.ClientConnState) error { return balancer.ErrBadResolverState }}
		b := build(t, p, &fakeClientConn{})
		free := occupy(t, p)
		var (
			err      error
			returned atomic.Bool
		)
		go func() {
			err = b.UpdateClientConnState(update("x"))
			returned.Store(true)
		}()
		synctest.Wait()
		if returned.Load() {
			t.Error("UpdateClientConnState returned while the policy was busy")
		}
		free()
		synctest.Wait()
		if !returned.Load() || !errors.Is(err, balancer.ErrBadResolverState) {
			t.Errorf("UpdateClientConnState = %v (returned: %v), want %v", err, returned.Load(), balancer.ErrBadResolverState)
		}
	})
}

func TestDetachedABusyPolicysBadStateBecomesResolveNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct {
			err  error
			want int
		}{
			{nil, 0},
			{errors.New("another error"), 0},
			{balancer.ErrBadResolverState, 1},
			{fmt.Errorf("wrapped: %w", balancer.ErrBadResolverState), 1},
		} {
			p := &fakePolicy{onUpdate: func(balancer.ClientConnState) error { return tt.err }}
			cc := &fakeClientConn{}
			b := build(t, p, cc, scstate.Detached())
			free := occupy(t, p)
			if err := b.UpdateClientConnState(update("x")); err != nil {
				t.Errorf("UpdateClientConnState of a busy policy = %v, want nil", err)
			}
			free()
			synctest.Wait()
			if got := cc.resolved(); got != tt.want {
				t.Errorf("ResolveNow calls for the error %v = %d, want %d", tt.err, got, tt.want)
			}
		}
	})
}
