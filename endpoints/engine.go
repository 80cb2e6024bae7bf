package endpoints

import (
	"fmt"
	"time"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/grpclog"
	"google.golang.org/grpc/resolver"

	"github.com/evenkeel-grpc/evenkeel/scstate"
)

// failureInterval is the least time between two UpdateStates that tell waiting
// RPCs no more than a new error: each wakes every one of them.
const failureInterval = time.Second

// Policy is what a policy adds to the engine.
type Policy struct {
	// Name is the policy's name, for log lines.
	Name string
	// Logger gets a line for each resolver update, resolver error and new state,
	// at verbosity 2. Nil means no logging.
	Logger grpclog.DepthLoggerV2
	// NewPicker returns the picker for while any endpoint is READY. Its results
	// must be SubConns of the Ring. It is called once, by New.
	NewPicker func(*Ring) balancer.Picker
}

// picker returns the policy's picker over r, or what is wrong with the policy.
func (p *Policy) picker(r *Ring) (balancer.Picker, error) {
	if p.NewPicker == nil {
		return nil, fmt.Errorf("endpoints: policy %q: Policy.NewPicker is nil: want a function that returns a picker over the Ring", p.Name)
	}
	picker := p.NewPicker(r)
	if picker == nil {
		return nil, fmt.Errorf("endpoints: policy %q: Policy.NewPicker returned nil: want a picker over the Ring", p.Name)
	}
	return picker, nil
}

// unpublished is a state that no endpoint can have: whatever the state is, it
// has to be published.
const unpublished = connectivity.Shutdown

// New returns a balancer that keeps a connection to each endpoint of the
// resolver. cc and opts are what the policy's Build received. If cc is not the
// ClientConn of a wrapped policy itself (see scstate.Wrapped), because the builder
// is not wrapped or intercepts the engine's calls, New puts a feed around the
// engine. If the engine cannot work, New returns a balancer that is in
// TRANSIENT_FAILURE, with an error that says why.
func New(cc balancer.ClientConn, opts balancer.BuildOptions, p Policy) balancer.Balancer {
	if cc == nil {
		return &refusal{err: fmt.Errorf("endpoints: policy %q: New got no ClientConn: want the one that Build received", p.Name)}
	}
	if !scstate.Wrapped(cc) {
		return scstate.Wrap(builder{p}).Build(cc, opts)
	}
	return builder{p}.Build(cc, opts)
}

// builder makes the engine of one policy.
type builder struct{ policy Policy }

func (b builder) Name() string { return b.policy.Name }

// Build is New on a wrapped policy's ClientConn.
func (b builder) Build(cc balancer.ClientConn, opts balancer.BuildOptions) balancer.Balancer {
	p := b.policy
	ring := newRing()
	picker, err := p.picker(ring)
	if err != nil {
		return &refusal{cc, err}
	}
	e := &engine{
		cc:        cc,
		ring:      ring,
		picker:    scstate.Direct(picker),
		endpoints: make(map[string]*endpoint),
		published: unpublished,
	}
	if p.Logger != nil && p.Logger.V(2) {
		e.logger, e.logPrefix = p.Logger, p.Name+": "+opts.Target.String()+": "
	}
	return e
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
	failed failedPicker    // for TRANSIENT_FAILURE; safe by itself

	logger    grpclog.DepthLoggerV2 // nil if nobody wants to know
	logPrefix string

	// All below is touched only by calls from the feed.
	endpoints map[string]*endpoint
	room      int                        // the most endpoints that the map has had room for
	states    [connectivity.Shutdown]int // how many endpoints are in each
	updates   uint32                     // resolver updates seen
	seen      int                        // endpoints that the last of them had
	last      []resolver.Endpoint        // a copy of the last of them
	lastErr   error                      // what it was answered with
	resolver  error                      // reported since

	published      connectivity.State
	lastFailure    time.Time   // when TRANSIENT_FAILURE was last published
	nextFailure    *time.Timer // publishes an error that came too soon after it; nil while there is none
	hold           bool        // more changes are coming: publish only new states
	updating       bool        // a resolver update is under way: publish nothing
	ringChanged    bool        // since the last UpdateState
	failureChanged bool        // an error has changed since the last UpdateState
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
	case s == connectivity.Ready && e.ringChanged:
		e.publish(s)
	case failing && e.failureChanged:
		if wait := failureInterval - time.Since(e.lastFailure); wait > 0 {
			e.publishFailureIn(wait)
			return
		}
		e.publish(s)
	}
}

// publishFailureIn tells waiting RPCs of the newest error after the given time,
// unless something else is published before.
func (e *engine) publishFailureIn(wait time.Duration) {
	if e.nextFailure != nil {
		return
	}
	var t *time.Timer
	t = time.AfterFunc(wait, func() {
		scstate.Post(e.cc, func() {
			if e.nextFailure == t { // else stopped while waiting for its turn
				e.nextFailure = nil
				e.settle()
			}
		})
	})
	e.nextFailure = t
}

func (e *engine) stopNextFailure() {
	if e.nextFailure != nil {
		e.nextFailure.Stop()
		e.nextFailure = nil
	}
}

// publish tells grpc. It wakes every waiting RPC.
func (e *engine) publish(s connectivity.State) {
	e.stopNextFailure()
	was := e.published
	e.published, e.ringChanged, e.failureChanged = s, false, false
	state := balancer.State{ConnectivityState: s, Picker: queueing}
	switch s {
	case connectivity.Ready:
		state.Picker = e.picker
	case connectivity.TransientFailure:
		e.lastFailure = time.Now()
		state.Picker = scstate.Direct(&e.failed)
	default: // RPCs wait.
	}
	if was != s {
		e.logf("now %v; endpoints %d, READY %d", s, len(e.endpoints), e.ring.Len())
	}
	e.cc.UpdateState(state)
}

func (e *engine) logf(format string, args ...any) {
	if e.logger != nil {
		e.logger.InfoDepth(1, e.logPrefix+fmt.Sprintf(format, args...))
	}
}

// ResolverError implements balancer.Balancer. The error shows only while RPCs
// fail anyway: a resolver's trouble does not take away what it gave before.
func (e *engine) ResolverError(err error) {
	e.logf("resolver error: %v", err)
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
	e.stopNextFailure()
	for _, ep := range e.endpoints {
		ep.close()
	}
}
