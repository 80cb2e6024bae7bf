package scstate_test

import (
	"fmt"
	"strconv"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/balancer/endpointsharding"
	"google.golang.org/grpc/balancer/pickfirst"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/resolver"

	"github.com/evenkeel-grpc/evenkeel/scstate"
)

// sharding is grpc's endpointsharding as a policy of its own, with children
// built by child.
type sharding struct {
	name  string
	child balancer.Builder
}

func (s sharding) Name() string { return s.name }

func (s sharding) Build(cc balancer.ClientConn, o balancer.BuildOptions) balancer.Balancer {
	return endpointsharding.NewBalancer(cc, o, s.child.Build, endpointsharding.Options{})
}

// nestings are endpointsharding over pick_first in all combinations of modes.
func nestings() map[string]balancer.Builder {
	all := map[string]balancer.Builder{}
	modes := map[string][]scstate.Option{"inline": nil, "detached": {scstate.Detached()}}
	for outer, outerOpts := range modes {
		for inner, innerOpts := range modes {
			name := fmt.Sprintf("scstate_%s_over_%s", outer, inner)
			child := scstate.Wrap(balancer.Get(pickfirst.Name), innerOpts...)
			all[name] = scstate.Wrap(sharding{name, child}, outerOpts...)
		}
	}
	return all
}

// Each SubConn reports synchronously from within Connect and Shutdown.
func TestNestedFeeds(t *testing.T) {
	const endpoints = 100
	for name, builder := range nestings() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var (
					state balancer.ClientConnState
					shut  int
					seen  = map[*fakeSubConn]bool{}
				)
				for i := range endpoints {
					addr := strconv.Itoa(i)
					state.ResolverState.Endpoints = append(state.ResolverState.Endpoints,
						resolver.Endpoint{Addresses: []resolver.Address{{Addr: addr}}})
				}
				cc := &fakeClientConn{}
				cc.on = map[string]func(*fakeSubConn){
					"SubConn.Connect": func(sc *fakeSubConn) {
						sc.report(connectivity.Connecting)
						sc.report(connectivity.Ready)
					},
					"SubConn.Shutdown": func(sc *fakeSubConn) {
						cc.mu.Lock()
						shut++
						cc.mu.Unlock()
						sc.report(connectivity.Shutdown)
					},
				}
				b := builder.Build(cc, balancer.BuildOptions{})
				if err := b.UpdateClientConnState(state); err != nil {
					t.Errorf("UpdateClientConnState = %v, want nil", err)
				}
				synctest.Wait()
				last := cc.last(t)
				if last.ConnectivityState != connectivity.Ready {
					t.Fatalf("state = %v, want READY", last.ConnectivityState)
				}
				for range endpoints {
					res, err := last.Picker.Pick(balancer.PickInfo{})
					sc, ok := res.SubConn.(*fakeSubConn)
					if err != nil || !ok {
						t.Fatalf("Pick = %T, %v, want grpc's own SubConn", res.SubConn, err)
					}
					seen[sc] = true
				}
				if len(seen) != endpoints {
					t.Errorf("different SubConns picked = %d, want %d", len(seen), endpoints)
				}
				for sc := range seen { // IDLE: each is told to connect again.
					sc.report(connectivity.Idle)
				}
				b.ExitIdle()
				synctest.Wait()
				if got := cc.last(t).ConnectivityState; got != connectivity.Ready {
					t.Errorf("state after all SubConns went idle = %v, want READY", got)
				}
				b.Close()
				synctest.Wait()
				if shut < endpoints {
					t.Errorf("SubConns shut down = %d, want at least %d", shut, endpoints)
				}
			})
		})
	}
}

// The parent of both policies comes back into the outer one from within a call
// of the inner one.
func TestNestedFeedsThatCallBack(t *testing.T) {
	inEachMode(t, func(t bubble) {
		inner, outer := &fakePolicy{}, &fakePolicy{}
		cc := &fakeClientConn{}
		var innerFeed, outerFeed balancer.Balancer
		outer.onBuild = func(p *fakePolicy) {
			innerFeed = build(t, inner, p.cc, t.opts...)
		}
		outerFeed = build(t, outer, cc, t.opts...)
		outer.onUpdate = func(s balancer.ClientConnState) error { return innerFeed.UpdateClientConnState(s) }
		outer.on = map[string]func(){"close": func() { innerFeed.Close() }, "exit idle": func() { innerFeed.ExitIdle() }}
		cc.on = map[string]func(*fakeSubConn){"UpdateState": func(*fakeSubConn) {
			delete(cc.on, "UpdateState") // Once.
			if err := outerFeed.UpdateClientConnState(update("again")); err != nil {
				t.Errorf("UpdateClientConnState from inside = %v, want nil", err)
			}
			outerFeed.ExitIdle()
			outerFeed.Close()
		}}
		inner.onUpdate = func(balancer.ClientConnState) error {
			inner.cc.UpdateState(balancer.State{})
			inner.note("told")
			return nil
		}
		if err := outerFeed.UpdateClientConnState(update("first")); err != nil {
			t.Errorf("UpdateClientConnState = %v, want nil", err)
		}
		synctest.Wait()
		want := []string{"update first", "told", "update again", "told", "exit idle", "close"}
		if diff := cmp.Diff(want, inner.calls()); diff != "" {
			t.Errorf("calls of the inner policy (-want +got):\n%s", diff)
		}
	})
}
