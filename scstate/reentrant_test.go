package scstate_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/resolver"

	"github.com/evenkeel-grpc/evenkeel/scstate"
)

// outward are the calls of a policy into grpc. From within each, a parent may
// come back into the policy.
var outward = map[string]func(p *fakePolicy, sc balancer.SubConn){
	"UpdateState": func(p *fakePolicy, _ balancer.SubConn) { p.cc.UpdateState(balancer.State{}) },
	"ResolveNow":  func(p *fakePolicy, _ balancer.SubConn) { p.cc.ResolveNow(resolver.ResolveNowOptions{}) },
	"NewSubConn": func(p *fakePolicy, _ balancer.SubConn) {
		_, _ = p.cc.NewSubConn([]resolver.Address{{Addr: "new"}}, balancer.NewSubConnOptions{})
	},
	"UpdateAddresses":         func(p *fakePolicy, sc balancer.SubConn) { p.cc.UpdateAddresses(sc, nil) },
	"SubConn.Connect":         func(_ *fakePolicy, sc balancer.SubConn) { sc.Connect() },
	"SubConn.Shutdown":        func(_ *fakePolicy, sc balancer.SubConn) { sc.Shutdown() },
	"SubConn.UpdateAddresses": func(_ *fakePolicy, sc balancer.SubConn) { sc.UpdateAddresses(nil) },
	"SubConn.GetOrBuildProducer": func(_ *fakePolicy, sc balancer.SubConn) {
		sc.GetOrBuildProducer(nil)
	},
	"SubConn.RegisterHealthListener": func(_ *fakePolicy, sc balancer.SubConn) {
		sc.RegisterHealthListener(func(balancer.SubConnState) {})
	},
}

func TestACallThatComesBackRunsAfterTheCurrentOne(t *testing.T) {
	for name, out := range outward {
		t.Run(name, func(t *testing.T) {
			inEachMode(t, func(t bubble) {
				p := &fakePolicy{}
				cc := &fakeClientConn{}
				b := build(t, p, cc, t.opts...)
				sc, _ := p.newSubConn(t, "sc")
				cc.on = map[string]func(*fakeSubConn){name: func(*fakeSubConn) {
					if err := b.UpdateClientConnState(update("inner")); err != nil {
						t.Errorf("UpdateClientConnState from inside = %v, want nil", err)
					}
					b.ResolverError(errors.New("inner"))
					b.ExitIdle()
					b.Close()
					b.ExitIdle() // After Close: dropped.
				}}
				p.onUpdate = func(s balancer.ClientConnState) error {
					if s.ResolverState.Endpoints[0].Addresses[0].Addr == "outer" {
						out(p, sc)
						p.note("still outer")
					}
					return nil
				}
				if err := b.UpdateClientConnState(update("outer")); err != nil {
					t.Errorf("UpdateClientConnState = %v, want nil", err)
				}
				synctest.Wait()
				want := []string{"update outer", "still outer", "update inner", "error inner", "exit idle", "close"}
				if diff := cmp.Diff(want, p.calls()); diff != "" {
					t.Errorf("calls (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestConnectThatReportsSynchronously(t *testing.T) {
	inEachMode(t, func(t bubble) {
		p := &fakePolicy{}
		cc := &fakeClientConn{on: map[string]func(*fakeSubConn){
			"SubConn.Connect": func(f *fakeSubConn) {
				f.report(connectivity.Connecting)
				f.report(connectivity.Ready)
			},
			"SubConn.Shutdown": func(f *fakeSubConn) { f.report(connectivity.Shutdown) },
		}}
		b := build(t, p, cc, t.opts...)
		sc, _ := p.newSubConn(t, "sc")
		p.on = map[string]func(){
			"exit idle": func() { sc.Connect(); p.note("connected") },
			"sc READY":  func() { sc.Shutdown(); p.note("shut down") },
		}
		b.ExitIdle()
		synctest.Wait()
		want := []string{"exit idle", "connected", "sc CONNECTING", "sc READY", "shut down", "sc SHUTDOWN"}
		if diff := cmp.Diff(want, p.calls()); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
	})
}

// A queued ErrBadResolverState makes the feed call ResolveNow, from within
// which a resolver without a queue of its own sends its next update.
func TestResolveNowThatUpdatesSynchronously(t *testing.T) {
	inEachMode(t, func(t bubble) {
		p := &fakePolicy{}
		cc := &fakeClientConn{}
		b := build(t, p, cc, t.opts...)
		cc.on = map[string]func(*fakeSubConn){
			"UpdateState": func(*fakeSubConn) { _ = b.UpdateClientConnState(update("bad")) },
			"ResolveNow":  func(*fakeSubConn) { _ = b.UpdateClientConnState(update("good")) },
		}
		p.onUpdate = func(s balancer.ClientConnState) error {
			if s.ResolverState.Endpoints[0].Addresses[0].Addr == "bad" {
				return balancer.ErrBadResolverState
			}
			return nil
		}
		p.on = map[string]func(){"exit idle": func() { p.cc.UpdateState(balancer.State{}) }}
		b.ExitIdle()
		synctest.Wait()
		if diff := cmp.Diff([]string{"exit idle", "update bad", "update good"}, p.calls()); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
	})
}

// The update comes on another goroutine than the policy's, which waits for it
// inside its call.
func TestAnUpdateOnAnotherGoroutineThatTheParentWaitsFor(t *testing.T) {
	inEachMode(t, func(t bubble) {
		p := &fakePolicy{}
		cc := &fakeClientConn{}
		b := build(t, p, cc, t.opts...)
		cc.on = map[string]func(*fakeSubConn){"UpdateState": func(*fakeSubConn) {
			done := make(chan struct{})
			go func() {
				defer close(done)
				_ = b.UpdateClientConnState(update("x"))
				b.Close()
			}()
			<-done
		}}
		p.on = map[string]func(){"exit idle": func() { p.cc.UpdateState(balancer.State{}) }}
		b.ExitIdle()
		synctest.Wait()
		if diff := cmp.Diff([]string{"exit idle", "update x", "close"}, p.calls()); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
	})
}

// The policy is outside the feed's calls, on a goroutine of its own, with a lock
// held that its UpdateClientConnState takes.
func TestDetachedAnUpdateFromAPolicysOwnGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &fakePolicy{}
		cc := &fakeClientConn{}
		b := build(t, p, cc, scstate.Detached())
		locked := make(chan struct{}, 1) // A lock that the bubble sees somebody wait for.
		p.onUpdate = func(balancer.ClientConnState) error {
			locked <- struct{}{}
			<-locked
			return nil
		}
		cc.on = map[string]func(*fakeSubConn){"UpdateState": func(*fakeSubConn) {
			if err := b.UpdateClientConnState(update("x")); err != nil {
				t.Errorf("UpdateClientConnState = %v, want nil", err)
			}
		}}
		locked <- struct{}{}
		p.cc.UpdateState(balancer.State{})
		<-locked
		synctest.Wait()
		if diff := cmp.Diff([]string{"update x"}, p.calls()); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
	})
}

func TestCloseFromInsideTakesEffectAfterTheCall(t *testing.T) {
	inEachMode(t, func(t bubble) {
		p := &fakePolicy{}
		b := build(t, p, &fakeClientConn{}, t.opts...)
		_, fake := p.newSubConn(t, "sc")
		p.on = map[string]func(){"sc READY": func() {
			b.Close()
			fake.report(connectivity.Idle) // After Close: dropped.
			p.note("still there")
		}}
		fake.report(connectivity.Ready)
		synctest.Wait()
		if diff := cmp.Diff([]string{"sc READY", "still there", "close"}, p.calls()); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
	})
}

func TestPostFromInsideRunsAfterTheCall(t *testing.T) {
	inEachMode(t, func(t bubble) {
		p := &fakePolicy{}
		b := build(t, p, &fakeClientConn{}, t.opts...)
		p.on = map[string]func(){"exit idle": func() {
			for _, name := range []string{"first", "second"} {
				if !scstate.Post(p.cc, func() { p.call(name, nil) }) {
					t.Error("Post = false, want true")
				}
			}
			p.note("still there")
		}}
		b.ExitIdle()
		synctest.Wait()
		if diff := cmp.Diff([]string{"exit idle", "still there", "first", "second"}, p.calls()); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
	})
}
