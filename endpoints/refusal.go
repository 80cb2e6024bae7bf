package endpoints

import (
	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/balancer/base"
	"google.golang.org/grpc/connectivity"

	"github.com/evenkeel-grpc/evenkeel/scstate"
)

var _ balancer.Balancer = (*refusal)(nil)

// refusal is what New returns for a policy that cannot work: grpc's Build has no
// error, and a nil balancer would make a parent policy crash. It publishes nothing
// during Build, when the policy around it may not be complete.
type refusal struct {
	cc  balancer.ClientConn // may be nil
	err error
}

// publish lets RPCs fail with the error.
func (r *refusal) publish() {
	if r.cc == nil {
		return
	}
	r.cc.UpdateState(balancer.State{
		ConnectivityState: connectivity.TransientFailure,
		Picker:            scstate.Direct(base.NewErrPicker(r.err)),
	})
}

// UpdateClientConnState implements balancer.Balancer.
func (r *refusal) UpdateClientConnState(balancer.ClientConnState) error {
	r.publish()
	return r.err
}

// ResolverError implements balancer.Balancer.
func (r *refusal) ResolverError(error) { r.publish() }

func (r *refusal) UpdateSubConnState(balancer.SubConn, balancer.SubConnState) {}
func (r *refusal) ExitIdle()                                                  {}
func (r *refusal) Close()                                                     {}
