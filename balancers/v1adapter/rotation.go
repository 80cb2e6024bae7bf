package v1adapter

import (
	"reflect"
	"slices"

	"github.com/evenkeel-grpc/evenkeel/balancers/v1adapter/naming"
)

// rotation is a list of addresses and whose turn it is.
type rotation struct {
	addrs []Address // in the order of their addition
	turn  int       // index of the next one; may be len(addrs)
}

// apply makes one change. What makes no sense is logged only.
func (r *rotation) apply(u *naming.Update) {
	if u == nil {
		logger.Error("RoundRobin: the naming.Watcher returned a nil *Update, which is ignored")
		return
	}
	addr := Address{Addr: u.Addr, Metadata: u.Metadata}
	switch {
	case !isComparable(addr):
		logger.Errorf("RoundRobin: update of %q is ignored: its Metadata, a %T, is not comparable", u.Addr, u.Metadata)
	case u.Op == naming.Add:
		r.add(addr)
	case u.Op == naming.Delete:
		r.remove(addr)
	default:
		logger.Errorf("RoundRobin: update of %q is ignored: unknown Op %d, want Add or Delete", u.Addr, u.Op)
	}
}

func (r *rotation) add(addr Address) {
	if slices.Contains(r.addrs, addr) {
		logger.Infof("RoundRobin: address %q is added again, which changes nothing", addr.Addr)
		return
	}
	r.addrs = append(r.addrs, addr)
}

// remove leaves the turn at its index, as v1 did.
func (r *rotation) remove(addr Address) {
	if i := slices.Index(r.addrs, addr); i >= 0 {
		r.addrs = slices.Delete(r.addrs, i, i+1)
	}
}

// nextWhere returns the first address from the turn on that may be used, and
// moves the turn behind it.
func (r *rotation) nextWhere(usable func(Address) bool) (Address, bool) {
	if r.turn >= len(r.addrs) {
		r.turn = 0
	}
	for i := range r.addrs {
		at := (r.turn + i) % len(r.addrs)
		if usable(r.addrs[at]) {
			r.turn = (at + 1) % len(r.addrs)
			return r.addrs[at], true
		}
	}
	return Address{}, false
}

// next returns the address whose turn it is. As in v1, and unlike in nextWhere,
// an address that is added after the last one's turn comes next.
func (r *rotation) next() (Address, bool) {
	if len(r.addrs) == 0 {
		return Address{}, false
	}
	if r.turn >= len(r.addrs) {
		r.turn = 0
	}
	r.turn++
	return r.addrs[r.turn-1], true
}

func (r *rotation) list() []Address { return slices.Clone(r.addrs) }

// isComparable reports whether an address can be compared: == panics on some
// Metadata, a slice for example.
func isComparable(addr Address) bool {
	return addr.Metadata == nil || reflect.ValueOf(addr.Metadata).Comparable()
}
