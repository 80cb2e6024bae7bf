package endpoints

import (
	"slices"
	"strings"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/resolver"

	"github.com/evenkeel-grpc/evenkeel/internal/leaf"
)

var _ leaf.Owner = (*endpoint)(nil)

// endpoint is the record of one endpoint of the resolver.
type endpoint struct {
	engine *engine
	leaf   leaf.Leaf
	conn   *leaf.Conn // in the ring; nil unless READY
	update uint32     // the last resolver update that had it
}

// keyOf returns the identity of an endpoint: its set of address strings. Order,
// duplicates and attributes do not count.
func keyOf(addrs []resolver.Address) string {
	if len(addrs) == 1 {
		return addrs[0].Addr
	}
	names := make([]string, len(addrs))
	for i, a := range addrs {
		names[i] = a.Addr
	}
	slices.Sort(names)
	// A zero byte is in no address, so no two sets have the same key.
	return strings.Join(slices.Compact(names), "\x00")
}

func (e *endpoint) ClientConn() balancer.ClientConn { return e.engine.cc }

// HealthListener is true under every petiole policy: without the listener it
// would be blind to health checks and outlier ejection (gRFC A17, A50).
func (e *endpoint) HealthListener() bool { return true }

// Report implements leaf.Owner.
func (e *endpoint) Report(from connectivity.State) {
	to := e.leaf.State()
	e.engine.count(from, to)
	e.place()
	if to == connectivity.TransientFailure {
		e.engine.failureChanged = true
	}
	e.engine.settle()
	if to == connectivity.Idle {
		e.leaf.ExitIdle()
	}
}

// place puts the endpoint into the ring or takes it out.
func (e *endpoint) place() {
	now := e.leaf.Conn()
	if now == e.conn {
		return
	}
	if e.conn != nil {
		e.engine.ring.remove(e.conn)
	}
	if now != nil {
		e.engine.ring.add(now)
	}
	e.conn = now
	e.engine.ringChanged = true
}

// close shuts the endpoint's connections down.
func (e *endpoint) close() {
	e.engine.states[e.leaf.State()]--
	if e.conn != nil {
		e.engine.ring.remove(e.conn)
		e.conn = nil
	}
	e.leaf.Close()
}
