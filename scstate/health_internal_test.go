package scstate

import (
	"testing"
	"testing/synctest"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/resolver"
)

// lockedSubConn calls its health listener with a lock held that registering one
// takes too, as grpc's SubConns do. The lock is a channel, so that a bubble
// notices a deadlock.
type lockedSubConn struct {
	balancer.SubConn
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
	s.health(balancer.SubConnState{ConnectivityState: connectivity.Ready})
}

type lockedClientConn struct {
	balancer.ClientConn
	sc *lockedSubConn
}

func (c lockedClientConn) NewSubConn([]resolver.Address, balancer.NewSubConnOptions) (balancer.SubConn, error) {
	return c.sc, nil
}

// What is queued in front of a health report may register a health listener.
func TestAHealthReportRunsNothingElseUnderTheSubConnsLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := &lockedSubConn{lock: make(chan struct{}, 1)}
		var sc balancer.SubConn
		var got []string
		f := stranded(t, &orderPolicy{}, nil, func(*feed) {
			sc.RegisterHealthListener(func(balancer.SubConnState) { got = append(got, "new listener") })
		})
		cc := &clientConn{ClientConn: lockedClientConn{sc: base}, feed: f}
		created, err := cc.NewSubConn(nil, balancer.NewSubConnOptions{})
		if err != nil {
			t.Fatal(err)
		}
		sc = created
		sc.RegisterHealthListener(func(balancer.SubConnState) { got = append(got, "old listener") })
		base.report()
		synctest.Wait()
		base.report()
		synctest.Wait()
		if len(got) != 1 || got[0] != "new listener" {
			t.Errorf("reports = %q, want one to the new listener", got)
		}
	})
}
