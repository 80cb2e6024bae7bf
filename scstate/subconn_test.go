package scstate_test

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/resolver"

	"github.com/evenkeel-grpc/evenkeel/scstate"
)

func TestStaleChangesAreDropped(t *testing.T) {
	inEachMode(t, func(t bubble) {
		p := &fakePolicy{}
		b := build(t, p, &fakeClientConn{on: map[string]func(*fakeSubConn){
			"SubConn.Shutdown": func(f *fakeSubConn) { f.report(connectivity.Shutdown) },
		}}, t.opts...)
		sc, fake := p.newSubConn(t, "sc")
		p.logHealth(sc, "sc")
		_, other := p.newSubConn(t, "other")
		p.on = map[string]func(){"sc CONNECTING": sc.Shutdown}
		free := occupy(t, p)
		fake.report(connectivity.Connecting) // The policy shuts sc down here,
		fake.report(connectivity.Ready)      // so that these are stale, in the same batch
		fake.reportHealth(connectivity.Ready)
		other.report(connectivity.Ready)
		b.ExitIdle()
		fake.report(connectivity.Idle) // and in the next.
		free()
		synctest.Wait()
		want := []string{"busy", "sc CONNECTING", "other READY", "exit idle", "sc SHUTDOWN"}
		if diff := cmp.Diff(want, p.calls()); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
		fake.reportHealth(connectivity.Shutdown) // Health is never final.
		synctest.Wait()
		if got := p.calls(); len(got) != len(want) {
			t.Errorf("calls after a late health report = %q, want no more", got)
		}
	})
}

// grpc promises that a health listener hears nothing once it is replaced.
func TestReportsToAReplacedHealthListenerAreDropped(t *testing.T) {
	inEachMode(t, func(t bubble) {
		p := &fakePolicy{}
		b := build(t, p, &fakeClientConn{}, t.opts...)
		sc, fake := p.newSubConn(t, "sc")
		p.logHealth(sc, "first")
		p.on = map[string]func(){
			"exit idle": func() { p.logHealth(sc, "second") },
			"update x":  func() { sc.RegisterHealthListener(nil) },
		}
		free := occupy(t, p)
		fake.reportHealth(connectivity.Connecting)
		b.ExitIdle()
		fake.reportHealth(connectivity.Ready)
		free()
		synctest.Wait()
		fake.reportHealth(connectivity.TransientFailure)
		second := fake.healthListener()
		if err := b.UpdateClientConnState(update("x")); err != nil {
			t.Errorf("UpdateClientConnState = %v, want nil", err)
		}
		second(stateOf(connectivity.Ready))
		synctest.Wait()
		want := []string{"busy", "first health CONNECTING", "exit idle", "second health TRANSIENT_FAILURE", "update x"}
		if diff := cmp.Diff(want, p.calls()); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
		if fake.healthListener() != nil || fake.cleared != 1 {
			t.Error("RegisterHealthListener(nil) did not reach grpc's SubConn as nil")
		}
	})
}

func TestAPolicyWithoutListenersGetsUpdateSubConnState(t *testing.T) {
	inEachMode(t, func(t bubble) {
		p := &fakePolicy{}
		b := build(t, p, &fakeClientConn{}, t.opts...)
		sc, err := p.cc.NewSubConn([]resolver.Address{{Addr: "sc"}}, balancer.NewSubConnOptions{})
		if err != nil {
			t.Fatal(err)
		}
		fake := fakeOf(t, sc)
		fake.report(connectivity.Ready)
		synctest.Wait()
		b.UpdateSubConnState(sc, stateOf(connectivity.Idle)) // Not grpc's way to report: ignored.
		sc.Shutdown()
		fake.report(connectivity.Idle)
		fake.report(connectivity.Shutdown)
		synctest.Wait()
		if diff := cmp.Diff([]string{"old fake:sc READY", "old fake:sc SHUTDOWN"}, p.calls()); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
	})
}

func TestDeprecatedCallsReachGrpcsSubConn(t *testing.T) {
	p, cc := &fakePolicy{}, &fakeClientConn{}
	build(t, p, cc)
	sc, fake := p.newSubConn(t, "sc")
	p.cc.UpdateAddresses(sc, nil)
	if len(cc.readdressed) != 1 || cc.readdressed[0] != balancer.SubConn(fake) {
		t.Errorf("UpdateAddresses reached %v, want grpc's SubConn", cc.readdressed)
	}
	p.cc.RemoveSubConn(sc)
	if fake.shutDown != 1 {
		t.Errorf("Shutdown calls after RemoveSubConn = %d, want 1", fake.shutDown)
	}
	fake.report(connectivity.Idle)
	if got := p.calls(); len(got) != 0 {
		t.Errorf("calls after RemoveSubConn = %q, want none", got)
	}
}

func TestNewSubConnReturnsGrpcsError(t *testing.T) {
	p := &fakePolicy{}
	build(t, p, &fakeClientConn{})
	sc, err := p.cc.NewSubConn([]resolver.Address{{Addr: "bad"}}, balancer.NewSubConnOptions{})
	if err == nil || sc != nil {
		t.Errorf("NewSubConn = %v, %v, want nil and an error", sc, err)
	}
}

func TestAReceiverGetsEverythingQueuedAsOneBatch(t *testing.T) {
	for _, abuse := range []bool{false, true} {
		t.Run(fmt.Sprint("abuse=", abuse), func(t *testing.T) {
			inEachMode(t, func(t bubble) {
				p := &batchPolicy{fakePolicy: &fakePolicy{}, abuse: abuse}
				b := scstate.Wrap(p, t.opts...).Build(&fakeClientConn{}, balancer.BuildOptions{})
				newSubConn := func(addr string) (balancer.SubConn, *fakeSubConn) {
					sc, err := p.cc.NewSubConn([]resolver.Address{{Addr: addr}}, balancer.NewSubConnOptions{
						StateListener: func(s balancer.SubConnState) { p.note(fmt.Sprint(addr, " ", s.ConnectivityState)) },
					})
					if err != nil {
						t.Fatal(err)
					}
					return sc, fakeOf(t, sc)
				}
				sc1, fake1 := newSubConn("1")
				sc1.RegisterHealthListener(func(balancer.SubConnState) { p.note("1 healthy") })
				sc2, fake2 := newSubConn("2")
				free := occupy(t, p.fakePolicy)
				fake1.report(connectivity.Connecting)
				fake2.report(connectivity.Connecting)
				fake1.report(connectivity.Ready)
				fake1.reportHealth(connectivity.Ready)
				b.ExitIdle() // Between two batches.
				p.on = map[string]func(){"exit idle": sc2.Shutdown}
				fake2.report(connectivity.Ready) // Stale by then.
				fake2.report(connectivity.Shutdown)
				fake1.report(connectivity.Idle)
				b.Close()
				free()
				synctest.Wait()
				wantBatches := [][]string{
					{"fake:1 CONNECTING false", "fake:2 CONNECTING false", "fake:1 READY false", "fake:1 READY true"},
					{"fake:2 SHUTDOWN false", "fake:1 IDLE false"},
				}
				if diff := cmp.Diff(wantBatches, p.batches); diff != "" {
					t.Errorf("batches (-want +got):\n%s", diff)
				}
				want := []string{
					"busy", "receive", "1 CONNECTING", "2 CONNECTING", "1 READY", "1 healthy",
					"exit idle", "receive", "2 SHUTDOWN", "1 IDLE", "close",
				}
				if diff := cmp.Diff(want, p.calls()); diff != "" {
					t.Errorf("calls (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// What the policy is being handed stays as it is while more comes in.
func TestABatchIsNotReusedDuringReceive(t *testing.T) {
	inEachMode(t, func(t bubble) {
		p := &batchPolicy{fakePolicy: &fakePolicy{}}
		scstate.Wrap(p, t.opts...).Build(&fakeClientConn{}, balancer.BuildOptions{})
		sc, err := p.cc.NewSubConn([]resolver.Address{{Addr: "sc"}}, balancer.NewSubConnOptions{})
		if err != nil {
			t.Fatal(err)
		}
		fake := fakeOf(t, sc)
		states := []connectivity.State{connectivity.Connecting, connectivity.Ready, connectivity.Idle}
		rounds := 0
		p.on = map[string]func(){"receive": func() {
			if rounds++; rounds <= 3 {
				for _, s := range states {
					fake.report(s)
				}
			}
		}}
		fake.report(connectivity.TransientFailure)
		synctest.Wait()
		three := []string{"fake:sc CONNECTING false", "fake:sc READY false", "fake:sc IDLE false"}
		want := [][]string{{"fake:sc TRANSIENT_FAILURE false"}, three, three, three}
		if diff := cmp.Diff(want, p.batches); diff != "" {
			t.Errorf("batches (-want +got):\n%s", diff)
		}
	})
}

// A batch without a live change is no call at all.
func TestAReceiverIsNotCalledForStaleChangesOnly(t *testing.T) {
	inEachMode(t, func(t bubble) {
		p := &batchPolicy{fakePolicy: &fakePolicy{}}
		scstate.Wrap(p, t.opts...).Build(&fakeClientConn{}, balancer.BuildOptions{})
		sc, fake := p.newSubConn(t, "sc")
		sc.Shutdown()
		fake.report(connectivity.Idle)
		synctest.Wait()
		if got := p.calls(); len(got) != 0 {
			t.Errorf("calls = %q, want none", got)
		}
	})
}
