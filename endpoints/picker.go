package endpoints

import (
	"errors"
	"fmt"
	"sync/atomic"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/balancer/base"

	"github.com/evenkeel-grpc/evenkeel/scstate"
)

// maxErrors is how many endpoints' errors failing RPCs see in turn.
const maxErrors = 16

// errNoEndpoints has grpc-go's text, which its tests pin.
var errNoEndpoints = errors.New("no children to pick from")

// queueing lets RPCs wait until there is a new picker.
var queueing = scstate.Direct(base.NewErrPicker(balancer.ErrNoSubConnAvailable))

// failedPicker fails RPCs with one endpoint's error after the other. The errors
// can be replaced while it is in use. They are plain errors: grpc makes them
// UNAVAILABLE, and lets wait-for-ready RPCs wait.
type failedPicker struct {
	next   atomic.Uint64
	errors atomic.Pointer[[]error]
}

var _ balancer.Picker = (*failedPicker)(nil)

func (p *failedPicker) set(errs []error) { p.errors.Store(&errs) }

func (p *failedPicker) Pick(balancer.PickInfo) (balancer.PickResult, error) {
	errs := *p.errors.Load()
	return balancer.PickResult{}, errs[p.next.Add(1)%uint64(len(errs))]
}

// errors returns what RPCs are to fail with: the errors of some endpoints, each
// with the resolver's.
func (e *engine) errors() []error {
	if len(e.endpoints) == 0 {
		return []error{e.withResolver(errNoEndpoints)}
	}
	errs := make([]error, 0, min(len(e.endpoints), maxErrors))
	for _, ep := range e.endpoints {
		if len(errs) == maxErrors {
			break
		}
		errs = append(errs, e.withResolver(ep.leaf.Err()))
	}
	return errs
}

// withResolver adds the resolver's error, as text: a status inside a picker's
// error would end even wait-for-ready RPCs.
func (e *engine) withResolver(err error) error {
	if e.resolver == nil {
		return err
	}
	return fmt.Errorf("%v; name resolver error: %v", err, e.resolver) //nolint:errorlint // see above
}
