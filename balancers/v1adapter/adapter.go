package v1adapter

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"

	"github.com/evenkeel-grpc/evenkeel/scstate"
)

var (
	_ balancer.Balancer = (*adapter)(nil)
	_ scstate.Receiver  = (*adapter)(nil)
)

// adapter is a balancer.Balancer that does what a v1 balancer says. Its feed is
// detached, so foreign code never runs on a goroutine of grpc's.
type adapter struct {
	// Set by Build, then read-only.
	cc     balancer.ClientConn
	target string // without the scheme
	config BalancerConfig
	done   chan struct{} // closed by Close

	// Touched only by calls from the feed, so unlocked.
	asked   bool    // there was an update, after which Start may be called
	source  *source // nil until an update's config names one
	v1      Balancer
	picker  *picker // nil until v1 has started
	conns   map[Address]*conn
	states  balancer.ConnectivityStateEvaluator
	listed  bool // Notify has sent a list
	changed bool // since the last UpdateState
	state   connectivity.State
	woken   time.Time // when wake last published
}

// newAdapter returns an adapter of s, nil if that is in the service config.
func newAdapter(cc balancer.ClientConn, opts balancer.BuildOptions, s *source) *adapter {
	return &adapter{
		cc:     cc,
		target: opts.Target.Endpoint(),
		config: BalancerConfig{DialCreds: opts.DialCreds, Dialer: opts.Dialer},
		done:   make(chan struct{}),
		source: s,
		conns:  make(map[Address]*conn),
		state:  connectivity.Connecting,
	}
}

// UpdateClientConnState starts the v1 balancer, if it has not started. What the
// channel's resolver found is of no interest: v1 balancers find their own.
//
// grpc waits for the result, so Start comes in a call of its own.
func (a *adapter) UpdateClientConnState(s balancer.ClientConnState) error {
	if c, ok := s.BalancerConfig.(config); ok && a.source == nil {
		a.source = c.source
	}
	a.asked = true
	scstate.Post(a.cc, a.start)
	return nil
}

// start calls Start, until it returns nil once.
func (a *adapter) start() {
	if a.picker != nil {
		return
	}
	if err := a.tryStart(); err != nil {
		logger.Warningf("target %q: Start: %v", a.target, err)
		// Not a status, with which wait-for-ready RPCs would end.
		err = fmt.Errorf("v1adapter: start balancer for target %q: %v", a.target, err) //nolint:errorlint // see above
		a.cc.UpdateState(balancer.State{ConnectivityState: connectivity.TransientFailure, Picker: failing{err}})
		return
	}
	a.picker = newPicker(a)
	a.publish()
	go a.watch(a.picker)
}

func (a *adapter) tryStart() error {
	if a.source == nil {
		return errors.New("no config: " + Name + " cannot be selected without WithBalancer, DialOptions or DialOptionsFunc")
	}
	if a.v1 == nil {
		b, err := a.source.take()
		if err != nil {
			return err
		}
		a.v1 = b
	}
	err := a.v1.Start(a.target, a.config)
	if err != nil && a.source.renewable {
		a.closeV1() // The next try gets another one.
	}
	return err
}

func (a *adapter) closeV1() {
	if err := a.v1.Close(); err != nil {
		logger.Warningf("target %q: Close: %v", a.target, err)
	}
	a.v1 = nil
}

// watch passes on what Notify sends. A list is taken when the last one has been
// applied.
func (a *adapter) watch(p *picker) {
	lists, ok := p.notify()
	if !ok {
		return
	}
	if lists == nil {
		scstate.Post(a.cc, func() { a.apply([]Address{{Addr: a.target}}) })
		return
	}
	for {
		select {
		case <-a.done:
			return
		case list, ok := <-lists:
			if !ok || !a.deliver(list) {
				return
			}
		}
	}
}

// deliver waits until a list has been applied. It returns false after Close.
func (a *adapter) deliver(list []Address) bool {
	list = slices.Clone(list) // The next one may be made in the same array.
	applied := make(chan struct{})
	scstate.Post(a.cc, func() {
		defer close(applied)
		a.apply(list)
	})
	select {
	case <-applied:
		return true
	case <-a.done:
		return false
	}
}

// Receive handles a batch of changes with one UpdateState, or more if the
// aggregated state went through others.
func (a *adapter) Receive(batch []scstate.Update) {
	for _, u := range batch {
		u.Deliver()
	}
	if a.changed {
		a.publish()
	}
}

// publish gives grpc the state, and lets every RPC that waits pick again.
func (a *adapter) publish() {
	a.changed = false
	a.cc.UpdateState(balancer.State{ConnectivityState: a.state, Picker: a.picker.direct})
}

// wake lets waiting RPCs pick again because the Get of one of them has returned.
// grpc can only wake all of them, so the more there are the less often it is.
func (a *adapter) wake() {
	pause := time.Duration(a.picker.parked.Load()) * wakePause
	if left := time.Until(a.woken.Add(pause)); left > 0 {
		time.AfterFunc(left, func() { scstate.Post(a.cc, a.wakeNow) })
		return
	}
	a.wakeNow()
}

func (a *adapter) wakeNow() {
	a.picker.waking.Store(false) // Whoever comes from now on may come too late for this time.
	a.woken = time.Now()
	a.publish()
}

// ResolverError is ignored, like what the resolver finds.
func (a *adapter) ResolverError(error) {}

// UpdateSubConnState is not called: all SubConns have listeners.
func (a *adapter) UpdateSubConnState(balancer.SubConn, balancer.SubConnState) {}

// ExitIdle tries a Start that has failed again. Connections do not go idle.
func (a *adapter) ExitIdle() {
	if a.asked {
		a.start()
	}
}

// Close ends all connections, then the v1 balancer.
func (a *adapter) Close() {
	close(a.done)
	for _, c := range a.conns {
		a.disconnect(c, ErrClientConnClosing)
	}
	if a.picker != nil {
		a.picker.gate.shut()
	}
	if a.v1 != nil {
		a.closeV1()
	}
}
