package fakecc

import (
	"fmt"
	"sync"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/resolver"
)

// SubConn is a fake balancer.SubConn. It starts IDLE and changes state only
// when the test says so.
type SubConn struct {
	balancer.SubConn // nil: what is not faked panics

	// Addr is the address that it was created for.
	Addr resolver.Address

	// Set once.
	cc       *ClientConn
	listener func(balancer.SubConnState)

	mu       sync.Mutex // guards the fields below
	health   func(balancer.SubConnState)
	state    connectivity.State
	connects int
	asked    bool // to connect, since it was last set to a state
	down     bool
}

// Connect implements balancer.SubConn.
func (s *SubConn) Connect() {
	s.cc.log("connect ", s.Addr.Addr)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.connects++
	s.asked = s.state == connectivity.Idle
}

// State returns the state that the test has set last; IDLE at first.
func (s *SubConn) State() connectivity.State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

// Asked reports whether a real SubConn would be about to connect: Connect was
// called while it was IDLE.
func (s *SubConn) Asked() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

// Connects returns how often Connect was called.
func (s *SubConn) Connects() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.connects
}

// Shutdown implements balancer.SubConn.
func (s *SubConn) Shutdown() {
	s.mu.Lock()
	down := s.down
	s.down = true
	s.mu.Unlock()
	if !down {
		s.cc.log("shutdown ", s.Addr.Addr)
		s.cc.later(func() { s.Set(connectivity.Shutdown, nil) })
	}
}

// IsShutdown reports whether Shutdown was called.
func (s *SubConn) IsShutdown() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.down
}

// RegisterHealthListener implements balancer.SubConn.
func (s *SubConn) RegisterHealthListener(f func(balancer.SubConnState)) {
	s.mu.Lock()
	if s.state != connectivity.Ready {
		s.mu.Unlock()
		return
	}
	s.health = f
	s.mu.Unlock()
	s.cc.log("health ", s.Addr.Addr)
	if f != nil && !s.cc.ManualHealth {
		s.cc.later(func() { s.SetHealth(connectivity.Ready, nil) })
	}
}

// Set moves the SubConn to a state and tells its listener. A health listener is
// forgotten, as grpc does on any change.
func (s *SubConn) Set(state connectivity.State, err error) {
	s.mu.Lock()
	s.state, s.health, s.asked = state, nil, false
	s.mu.Unlock()
	s.listener(balancer.SubConnState{ConnectivityState: state, ConnectionError: err})
}

// SetHealth tells the health listener, if there is one.
func (s *SubConn) SetHealth(state connectivity.State, err error) {
	s.mu.Lock()
	f := s.health
	s.mu.Unlock()
	if f != nil {
		f(balancer.SubConnState{ConnectivityState: state, ConnectionError: err})
	}
}

// HealthListener returns a function that calls the health listener which is
// registered now, also when that is no longer registered.
func (s *SubConn) HealthListener() func(connectivity.State) {
	s.mu.Lock()
	f := s.health
	s.mu.Unlock()
	return func(state connectivity.State) { f(balancer.SubConnState{ConnectivityState: state}) }
}

// Addr returns the address of a fake SubConn, or what any other is.
func Addr(sc balancer.SubConn) string {
	if s, ok := sc.(*SubConn); ok {
		return s.Addr.Addr
	}
	return fmt.Sprintf("a %T", sc)
}

// String names the SubConn by its address.
func (s *SubConn) String() string { return "fake " + s.Addr.Addr }
