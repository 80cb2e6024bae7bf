package scstate_test

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/balancer/base"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"

	"github.com/evenkeel-grpc/evenkeel/scstate"
)

// lockedSubConn calls its health listener with a lock held that registering one
// takes too, as grpc's SubConns do. The lock is a channel, so that a bubble
// notices a deadlock.
type lockedSubConn struct {
	balancer.SubConn // nil: what is not faked must not be called

	lock   chan struct{}
	health func(balancer.SubConnState)
}

func (s *lockedSubConn) RegisterHealthListener(l func(balancer.SubConnState)) {
	s.lock <- struct{}{}
	defer func() { <-s.lock }()
	s.health = l
}

func (s *lockedSubConn) report() {
	s.lock <- struct{}{}
	defer func() { <-s.lock }()
	s.health(stateOf(connectivity.Ready))
}

// lockedClientConn has lockedSubConns.
type lockedClientConn struct {
	balancer.ClientConn // nil: what is not faked must not be called
}

func (lockedClientConn) NewSubConn([]resolver.Address, balancer.NewSubConnOptions) (balancer.SubConn, error) {
	return &lockedSubConn{lock: make(chan struct{}, 1)}, nil
}

// While grpc holds the SubConn's lock, for a health report, nothing but the
// report runs: what is queued may register a health listener.
func TestNothingElseRunsUnderTheLockOfAHealthReport(t *testing.T) {
	type scene struct {
		*testing.T
		policy *fakePolicy
		sc     balancer.SubConn
		base   *lockedSubConn
	}
	again := func(s *scene) { s.policy.call("again", func() { s.policy.logHealth(s.sc, "second") }) }
	scenes := map[string]struct {
		on     func(*scene) // from within the first report
		before func(*scene) // a call that the report comes beside
		want   []string
	}{
		"the listener posts a call that registers": {
			on:   func(s *scene) { scstate.Post(s.policy.cc, func() { again(s) }) },
			want: []string{"first health READY", "again", "second health READY"},
		},
		"another goroutine posts it meanwhile": {
			on: func(s *scene) {
				posted := make(chan struct{})
				go func() {
					scstate.Post(s.policy.cc, func() { again(s) })
					close(posted)
				}()
				<-posted
			},
			want: []string{"first health READY", "again", "second health READY"},
		},
		"the listener itself registers": {
			on:   func(s *scene) { s.policy.logHealth(s.sc, "second") },
			want: []string{"first health READY", "second health READY"},
		},
		"the listener registers twice": {
			on: func(s *scene) {
				s.policy.logHealth(s.sc, "never")
				s.policy.logHealth(s.sc, "second")
			},
			want: []string{"first health READY", "second health READY"},
		},
		"the listener is replaced while the report is queued": {
			before: func(s *scene) {
				go s.base.report()
				synctest.Wait()
				s.policy.logHealth(s.sc, "second")
			},
			want: []string{"second health READY"},
		},
	}
	for name, tt := range scenes {
		t.Run(name, func(t *testing.T) {
			inEachMode(t, func(t bubble) {
				s := &scene{T: t.T, policy: &fakePolicy{}}
				build(t, s.policy, lockedClientConn{}, t.opts...)
				sc, err := s.policy.cc.NewSubConn(nil, balancer.NewSubConnOptions{})
				if err != nil {
					t.Fatal(err)
				}
				base, ok := scstate.Base(sc).(*lockedSubConn)
				if !ok {
					t.Fatalf("Base = %T, want a *lockedSubConn", scstate.Base(sc))
				}
				s.sc, s.base = sc, base
				s.policy.logHealth(sc, "first")
				if tt.on != nil {
					s.policy.on = map[string]func(){"first health READY": func() { tt.on(s) }}
				}
				if tt.before != nil {
					done := make(chan struct{})
					scstate.Post(s.policy.cc, func() {
						tt.before(s)
						close(done)
					})
					<-done
				} else {
					base.report()
				}
				synctest.Wait()
				base.report()
				synctest.Wait()
				if diff := cmp.Diff(tt.want, s.policy.calls()); diff != "" {
					t.Errorf("calls (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// rehealth is a policy that asks for the health of its one SubConn again and
// again, each time from a call that it posts from within the report before.
type rehealth struct {
	balancer.Balancer // nil: what is not faked must not be called

	cc      balancer.ClientConn
	sc      balancer.SubConn
	reports int
	enough  chan struct{}
}

const (
	rehealthName    = "scstate_rehealth"
	rehealthReports = 100
)

func (*rehealth) Name() string { return rehealthName }

func (p *rehealth) Build(cc balancer.ClientConn, _ balancer.BuildOptions) balancer.Balancer {
	p.cc = cc
	return p
}

func (p *rehealth) UpdateClientConnState(s balancer.ClientConnState) (err error) {
	if p.sc == nil {
		p.sc, err = p.cc.NewSubConn(s.ResolverState.Endpoints[0].Addresses, balancer.NewSubConnOptions{
			StateListener: func(s balancer.SubConnState) {
				if s.ConnectivityState == connectivity.Ready {
					p.register()
				}
			},
		})
		p.sc.Connect()
	}
	return err
}

func (p *rehealth) register() {
	p.sc.RegisterHealthListener(func(s balancer.SubConnState) {
		if p.reports++; p.reports == rehealthReports {
			close(p.enough)
			p.cc.UpdateState(balancer.State{
				ConnectivityState: s.ConnectivityState,
				Picker:            base.NewErrPicker(fmt.Errorf("health reports: %d", p.reports)),
			})
			return
		}
		scstate.Post(p.cc, p.register)
	})
}

func (p *rehealth) ExitIdle() {}
func (p *rehealth) Close()    {}

// The real SubConn, whose lock is the reason for all this. On a deadlock Close
// would not return; the bubble says so.
func TestHealthListenersOfARealChannelThatRegisterAgain(t *testing.T) {
	policy := &rehealth{}
	balancer.Register(scstate.Wrap(policy))
	synctest.Test(t, func(t *testing.T) {
		policy.enough = make(chan struct{})
		nw := &network{servers: map[string]*server{}}
		nw.start("a")
		defer nw.stop("a")
		source := manual.NewBuilderWithScheme("scstate")
		source.InitialState(resolver.State{Endpoints: update("a").ResolverState.Endpoints})
		cc, err := grpc.NewClient("scstate:///test", grpc.WithResolvers(source),
			grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithContextDialer(nw.dial),
			grpc.WithDefaultServiceConfig(fmt.Sprintf(`{"loadBalancingConfig":[{%q:{}}]}`, rehealthName)))
		if err != nil {
			t.Fatal(err)
		}
		cc.Connect()
		<-policy.enough
		if err := cc.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
	})
}
