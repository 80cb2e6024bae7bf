package endpoints

import (
	"time"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/resolver"

	"github.com/evenkeel-grpc/evenkeel/scstate"
)

// failureInterval is the least time between two UpdateStates that tell waiting
// RPCs no more than a new error: each wakes every one of them.
const failureInterval = time.Second

// New returns a balancer that keeps a connection to each endpoint of the
// resolver. While any is READY, RPCs are given to the picker that newPicker
// returned; its results must be SubConns of the Ring. newPicker is called once,
// by New. cc is the ClientConn that the policy's Build received; it must be a
// wrapped policy's (see scstate.Wrap).
func New(cc balancer.ClientConn, newPicker func(*Ring) balancer.Picker) balancer.Balancer {
	ring := newRing()
	return &engine{
		cc:        cc,
		ring:      ring,
		picker:    scstate.Direct(newPicker(ring)),
		endpoints: make(map[string]*endpoint),
		published: connectivity.Shutdown, // none yet
	}
}

var (
	_ balancer.Balancer = (*engine)(nil)
	_ scstate.Receiver  = (*engine)(nil)
)

type engine struct {
	// Set by New, then read-only.
	cc     balancer.ClientConn
	ring   *Ring
	picker balancer.Picker // for READY
	failed failedPicker    // for TRANSIENT_FAILURE; locks by itself

	// All below is touched only by calls from the feed.
	endpoints map[string]*endpoint
	states    [connectivity.Shutdown]int // how many endpoints are in each
	updates   uint32                     // resolver updates seen
	last      []resolver.Endpoint        // the last of them
	lastErr   error                      // what it was answered with
	resolver  error                      // reported since

	published      connectivity.State
	lastFailure    time.Time // when TRANSIENT_FAILURE was last published
	hold           bool      // more changes are coming: publish only new states
	updating       bool      // a resolver update is under way: publish nothing
	lost           bool      // an endpoint left the ring since the last UpdateState
	failureChanged bool      // an error has changed since the last UpdateState
}

// Receive implements scstate.Receiver.
func (e *engine) Receive(batch []scstate.Update) {
	e.hold = true
	for _, u := range batch {
		u.Deliver()
	}
	e.hold = false
	e.settle()
}

// count moves an endpoint from one state to another.
func (e *engine) count(from, to connectivity.State) {
	e.states[from]--
	e.states[to]++
}

// aggregate returns the state of the whole, as grpc-go's round_robin reports it.
func (e *engine) aggregate() connectivity.State {
	for _, s := range [...]connectivity.State{connectivity.Ready, connectivity.Connecting, connectivity.Idle} {
		if e.states[s] > 0 {
			return s
		}
	}
	return connectivity.TransientFailure
}

// settle publishes what grpc has to hear of. It is called after every change.
func (e *engine) settle() {
	if e.updating {
		return
	}
	s := e.aggregate()
	failing := s == connectivity.TransientFailure
	if failing && (e.failureChanged || s != e.published) {
		e.failed.set(e.errors()) // New RPCs see it at once.
	}
	switch {
	case s != e.published:
		e.publish(s)
	case e.hold: // The end of the batch settles the rest.
	case s == connectivity.Ready && e.lost:
		e.publish(s)
	case failing && e.failureChanged && time.Since(e.lastFailure) >= failureInterval:
		e.publish(s)
	}
}

// publish tells grpc. It wakes every waiting RPC.
func (e *engine) publish(s connectivity.State) {
	e.published, e.lost, e.failureChanged = s, false, false
	state := balancer.State{ConnectivityState: s, Picker: queueing}
	switch s {
	case connectivity.Ready:
		state.Picker = e.picker
	case connectivity.TransientFailure:
		e.lastFailure = time.Now()
		state.Picker = scstate.Direct(&e.failed)
	}
	e.cc.UpdateState(state)
}

// ResolverError implements balancer.Balancer. The error shows only while RPCs
// fail anyway: a resolver's trouble does not take away what it gave before.
func (e *engine) ResolverError(err error) {
	e.resolver = err
	e.resolverChanged()
	e.settle()
}

// resolverChanged makes a new error of the resolver's, or its end, known to
// failing RPCs without delay: the resolver limits its own rate.
func (e *engine) resolverChanged() {
	e.failureChanged = true
	e.lastFailure = time.Time{}
}

// UpdateSubConnState implements balancer.Balancer. It is never called: all
// SubConns have listeners.
func (e *engine) UpdateSubConnState(balancer.SubConn, balancer.SubConnState) {}

// ExitIdle implements balancer.Balancer. There is nothing to do: an endpoint
// that becomes IDLE reconnects at once.
func (e *engine) ExitIdle() {}

// Close implements balancer.Balancer.
func (e *engine) Close() {
	e.updating = true // and nothing is published any more
	for _, ep := range e.endpoints {
		ep.close()
	}
}
