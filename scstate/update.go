package scstate

import (
	"google.golang.org/grpc/balancer"
)

// Update is one SubConn with its new state.
type Update struct {
	// SubConn is the one that NewSubConn returned to the policy.
	SubConn balancer.SubConn
	// State is what grpc reported.
	State balancer.SubConnState
	// Health is true if the SubConn's health listener reported State, and false
	// if its state listener did.
	Health bool

	// registration is which of the SubConn's health listeners Health is from.
	registration uint32
	// deliver is the listener that the policy gave for this kind of report.
	deliver func(balancer.SubConnState)
}

// Deliver hands the state to the listener that the policy gave: the
// StateListener, or the health listener if Health is set. A policy of the old
// kind, which gave no StateListener, gets UpdateSubConnState. If the policy has
// meanwhile shut the SubConn down or replaced the health listener, Deliver does
// nothing. It must be called from within Receive.
func (u Update) Deliver() {
	if u.deliver != nil && !stale(u) {
		u.deliver(u.State)
	}
}

// Receiver is implemented by a balancer.Balancer that wants all changes that
// are queued as one batch, so that it can do once per batch what is costly. Any
// other balancer has its listeners called one by one.
type Receiver interface {
	// Receive is called by the feed in place of the listeners, oldest change
	// first; it calls Deliver for those whose listener is to run. The batch is
	// not empty and is valid only during the call. Changes of a SubConn that
	// the policy had shut down are left out, except the final SHUTDOWN, and so
	// are reports to a health listener that was replaced; what the policy shuts
	// down or replaces during the call may still be later in the batch, where
	// Deliver does nothing.
	Receive(batch []Update)
}

// stale reports whether the policy shut the SubConn down, or replaced the
// health listener, while u was queued: grpc promises that it hears no more of
// them then, but for the final SHUTDOWN.
func stale(u Update) bool {
	sc, ok := u.SubConn.(*subConn)
	if !ok {
		return false
	}
	if u.Health && u.registration != sc.registered.Load() {
		return true
	}
	return sc.shutDown.Load() && (u.Health || !isShutdown(u.State))
}
