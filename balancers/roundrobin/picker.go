package roundrobin

import (
	"google.golang.org/grpc/balancer"

	"github.com/evenkeel-grpc/evenkeel/endpoints"
)

var _ balancer.Picker = (*picker)(nil)

// picker gives out the READY endpoints in turn. It lives as long as the
// balancer: the ring changes under it.
type picker struct{ ring *endpoints.Ring }

func (p *picker) Pick(balancer.PickInfo) (balancer.PickResult, error) {
	if sc := p.ring.Next(); sc != nil {
		return balancer.PickResult{SubConn: sc}, nil
	}
	// The last endpoint has just gone; a new picker is on its way.
	return balancer.PickResult{}, balancer.ErrNoSubConnAvailable
}
