package watch

import "google.golang.org/grpc/resolver"

// answer is a snapshot made ready for all channels. It never changes.
type answer struct {
	state      resolver.State
	detail     string
	configJSON string // of a service config that state lacks; "" if there is none
}

// newAnswer makes s ready, with list in the place of its endpoints.
func newAnswer(s Snapshot, list []resolver.Endpoint) *answer {
	return &answer{
		state: resolver.State{
			Endpoints:     list,
			Addresses:     Addresses(list),
			ServiceConfig: s.ServiceConfig,
			Attributes:    s.Attributes,
		},
		detail:     s.Detail,
		configJSON: s.ServiceConfigJSON,
	}
}

// news is what a channel has not heard yet: the last answer and the last failure
// of the source, in their order. What came before them is of no use any more.
type news struct {
	answer      *answer // nil if there was none
	failure     error   // nil if there was none
	failedFirst bool    // whether the failure came before the answer
}

func (n *news) answered(a *answer) {
	n.answer = a
	n.failedFirst = n.failure != nil
}

func (n *news) failed(err error) {
	n.failure = err
	n.failedFirst = false
}

func (n *news) empty() bool { return n.answer == nil && n.failure == nil }

// tell passes the news on, in their order.
func (n *news) tell(c *channel) {
	if n.failedFirst {
		c.failure(n.failure)
	}
	if n.answer != nil {
		c.answer(n.answer)
	}
	if n.failure != nil && !n.failedFirst {
		c.failure(n.failure)
	}
}
