package scstate

import "google.golang.org/grpc/balancer"

// Base returns the SubConn of grpc's that sc stands for, which is what a picker
// under [Direct] has to return. A SubConn that did not come from a wrapped
// policy's ClientConn is returned as it is.
func Base(sc balancer.SubConn) balancer.SubConn {
	if s, ok := sc.(*subConn); ok {
		return s.SubConn
	}
	return sc
}

// Direct returns a picker for UpdateState whose results the feed does not
// touch: p's PickResult.SubConn is already what [Base] returns. grpc then calls
// p itself, without a translation on each RPC.
func Direct(p balancer.Picker) balancer.Picker { return &direct{p} }

type direct struct{ balancer.Picker }

// translating is the picker of a policy that returns its own SubConns: grpc
// only takes its own, and parks an RPC for which it gets another.
type translating struct{ balancer.Picker }

func (p *translating) Pick(info balancer.PickInfo) (balancer.PickResult, error) {
	res, err := p.Picker.Pick(info)
	res.SubConn = Base(res.SubConn)
	return res, err
}

// upward returns the picker that grpc gets for p.
func upward(p balancer.Picker) balancer.Picker {
	switch p := p.(type) {
	case nil:
		return nil
	case *direct:
		return p.Picker
	default:
		return &translating{p}
	}
}
