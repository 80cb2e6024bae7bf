package v1adapter

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/status"

	"github.com/evenkeel-grpc/evenkeel/scstate"
)

var (
	_ balancer.Picker = (*picker)(nil)
	_ balancer.Picker = failing{}
)

// picker asks the v1 balancer. There is one for the life of an adapter.
type picker struct {
	// Set once.
	v1     Balancer
	cc     balancer.ClientConn
	direct balancer.Picker // the picker as the feed is to publish it
	wake   func()          // adapter.wake, for the feed to call

	gate      *gate
	conns     atomic.Pointer[map[Address]*conn]
	strangers strangers

	parked atomic.Int64 // RPCs that wait for their Get to return
	waking atomic.Bool  // wake is on its way
}

func newPicker(a *adapter) *picker {
	p := &picker{v1: a.v1, cc: a.cc, wake: a.wake, gate: newGate()}
	p.direct = scstate.Direct(p)
	p.strangers.retry = func() { scstate.Post(a.cc, a.publish) }
	p.setConns(nil)
	return p
}

// setConns replaces what picks see.
func (p *picker) setConns(conns map[Address]*conn) {
	p.conns.Store(&conns)
	p.strangers.forget(conns)
}

// notify calls Notify, unless the balancer is closed.
func (p *picker) notify() (<-chan []Address, bool) {
	if !p.gate.enter() {
		return nil, false
	}
	defer p.gate.leave()
	return p.v1.Notify(), true
}

// Pick calls Get. That of a wait-for-ready RPC may take its time, so it runs
// elsewhere; any other must not, and runs here, where it can delay no other RPC.
func (p *picker) Pick(info balancer.PickInfo) (balancer.PickResult, error) {
	ctx := info.Ctx
	if ctx == nil {
		ctx = context.Background()
	}
	a := attemptOf(ctx)
	if a != nil && a.waits {
		return p.pickWaiting(ctx, a)
	}
	return p.use(p.get(ctx, false), a)
}

// choice is what Get returned.
type choice struct {
	addr Address
	put  func()
	err  error
}

// errShut stands for a Get that was not called because of Close.
var errShut = errors.New("v1adapter: the balancer is closed")

// get calls Get, unless the balancer is closed.
func (p *picker) get(ctx context.Context, wait bool) choice {
	if !p.gate.enter() {
		return choice{err: errShut}
	}
	defer p.gate.leave()
	addr, put, err := p.v1.Get(ctx, BalancerGetOptions{BlockingWait: wait})
	return choice{addr, put, err}
}

// release calls put, if there is one.
func (c choice) release() {
	if c.put != nil {
		c.put()
	}
}

// use makes the result of a pick of a choice. If the connection is not ready the
// RPC waits for the next picker, which comes when that changes.
func (p *picker) use(c choice, a *attempt) (balancer.PickResult, error) {
	if c.err != nil {
		c.release()
		return balancer.PickResult{}, p.failure(c.err, a)
	}
	conn, err := p.find(c.addr)
	if err != nil {
		c.release()
		return balancer.PickResult{}, err
	}
	if c.put == nil {
		return balancer.PickResult{SubConn: conn.direct}, nil
	}
	put := c.put
	return balancer.PickResult{SubConn: conn.direct, Done: func(balancer.DoneInfo) { put() }}, nil
}

// find returns the connection to an address if it is ready, and otherwise what
// Pick is to return. An error that is not ErrNoSubConnAvailable fails a
// fail-fast RPC as UNAVAILABLE; a wait-for-ready RPC waits in any case.
func (p *picker) find(addr Address) (*conn, error) {
	if !isComparable(addr) {
		return nil, fmt.Errorf("v1adapter: Get returned address %q with Metadata that is not comparable, a %T", addr.Addr, addr.Metadata)
	}
	conns := *p.conns.Load()
	c := conns[addr]
	if c == nil {
		return nil, p.strangers.meet(addr, len(conns))
	}
	switch s := c.status.Load(); s.state {
	case connectivity.Ready:
		return c, nil
	case connectivity.TransientFailure:
		return nil, fmt.Errorf("v1adapter: no connection to %q: %v", addr.Addr, s.err) //nolint:errorlint // a status would end wait-for-ready RPCs
	default:
		return nil, balancer.ErrNoSubConnAvailable
	}
}

// failure is what Pick returns for an error of Get: it ends the RPC with the
// error's status, or as UNAVAILABLE.
//
// UNAVAILABLE is an error without a status where that has the same effect, for
// fail-fast RPCs, because grpc then retries if a policy says so. It also lets
// wait-for-ready RPCs wait of which nobody knows that they are (a is nil).
func (p *picker) failure(err error, a *attempt) error {
	st, ok := status.FromError(err)
	switch {
	case !p.gate.open():
		return balancer.ErrNoSubConnAvailable // Another balancer takes over.
	case errors.Is(err, context.DeadlineExceeded):
		return status.Error(codes.DeadlineExceeded, err.Error())
	case errors.Is(err, context.Canceled):
		return status.Error(codes.Canceled, err.Error())
	case !ok, st.Code() == codes.OK:
		st = status.New(codes.Unavailable, err.Error())
	}
	if st.Code() == codes.Unavailable && (a == nil || !a.waits) {
		return errors.New(st.Message())
	}
	return st.Err()
}

// failing is the picker after an error from Start.
type failing struct{ err error }

func (f failing) Pick(balancer.PickInfo) (balancer.PickResult, error) {
	return balancer.PickResult{}, f.err
}
