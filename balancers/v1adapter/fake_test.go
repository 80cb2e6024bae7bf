package v1adapter_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/evenkeel-grpc/evenkeel/balancers/v1adapter"
	"github.com/evenkeel-grpc/evenkeel/balancers/v1adapter/naming"
)

// fake is a v1 balancer that notes its calls. Its functions, unless nil, do what
// a test wants.
type fake struct {
	lists  chan []v1adapter.Address // what Notify returns
	start  func(target string, c v1adapter.BalancerConfig) error
	up     func(v1adapter.Address) // called before down is returned
	noDown bool                    // Up returns nil
	notify func() <-chan []v1adapter.Address
	get    func(context.Context, v1adapter.BalancerGetOptions) (v1adapter.Address, func(), error)
	close  func() error

	mu     sync.Mutex // guards the fields below
	events []string   // all calls but Get
	waits  []bool     // BlockingWait of each Get
	puts   int
	downs  []error
}

// newFake returns a fake that gives all RPCs to one address, which it has
// notified, or that fails them as long as it has none.
func newFake(list ...v1adapter.Address) *fake {
	f := &fake{lists: make(chan []v1adapter.Address, 1)}
	if len(list) > 0 {
		f.lists <- list
		f.get = always(list[0])
	}
	return f
}

// always is a get that returns one address.
func always(a v1adapter.Address) func(context.Context, v1adapter.BalancerGetOptions) (v1adapter.Address, func(), error) {
	return func(context.Context, v1adapter.BalancerGetOptions) (v1adapter.Address, func(), error) {
		return a, nil, nil
	}
}

// fails is a get that returns an error.
func fails(err error) func(context.Context, v1adapter.BalancerGetOptions) (v1adapter.Address, func(), error) {
	return func(context.Context, v1adapter.BalancerGetOptions) (v1adapter.Address, func(), error) {
		return v1adapter.Address{}, nil, err
	}
}

func (f *fake) note(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.events = append(f.events, fmt.Sprintf(format, args...))
}

// take returns the events since the last call.
func (f *fake) take() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	e := f.events
	f.events = nil
	return e
}

func (f *fake) Start(target string, c v1adapter.BalancerConfig) error {
	f.note("start %s", target)
	if f.start != nil {
		return f.start(target, c)
	}
	return nil
}

func (f *fake) Up(a v1adapter.Address) func(error) {
	f.note("up %s", label(a))
	if f.up != nil {
		f.up(a)
	}
	if f.noDown {
		return nil
	}
	return func(err error) {
		f.note("down %s", label(a))
		f.mu.Lock()
		defer f.mu.Unlock()
		f.downs = append(f.downs, err)
	}
}

func label(a v1adapter.Address) string {
	if a.Metadata == nil {
		return a.Addr
	}
	return fmt.Sprintf("%s(%v)", a.Addr, a.Metadata)
}

var errNothing = errors.New("fake: nothing to give")

func (f *fake) Get(ctx context.Context, o v1adapter.BalancerGetOptions) (v1adapter.Address, func(), error) {
	f.mu.Lock()
	f.waits = append(f.waits, o.BlockingWait)
	f.mu.Unlock()
	if f.get == nil {
		return v1adapter.Address{}, nil, errNothing
	}
	return f.get(ctx, o)
}

// put is for a get to return.
func (f *fake) put() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.puts++
}

func (f *fake) counts() (gets, puts int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.waits), f.puts
}

func (f *fake) blockingWaits() []bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.waits)
}

func (f *fake) Notify() <-chan []v1adapter.Address {
	f.note("notify")
	if f.notify != nil {
		return f.notify()
	}
	return f.lists
}

func (f *fake) Close() error {
	f.note("close")
	if f.close != nil {
		return f.close()
	}
	return nil
}

// script is a naming.Resolver whose only watcher returns what the test sends.
type script struct {
	updates chan []*naming.Update
	errs    chan error
	closed  chan struct{}
	target  string
	fail    error // of Resolve
}

func newScript() *script {
	return &script{updates: make(chan []*naming.Update), errs: make(chan error), closed: make(chan struct{})}
}

func (s *script) Resolve(target string) (naming.Watcher, error) {
	s.target = target
	if s.fail != nil {
		return nil, s.fail
	}
	return s, nil
}

func (s *script) Next() ([]*naming.Update, error) {
	select {
	case u := <-s.updates:
		return u, nil
	case err := <-s.errs:
		return nil, err
	case <-s.closed:
		return nil, errors.New("script: closed")
	}
}

func (s *script) Close() { close(s.closed) } // Twice is a panic.

func add(addr string) *naming.Update { return &naming.Update{Op: naming.Add, Addr: addr} }

func del(addr string) *naming.Update { return &naming.Update{Op: naming.Delete, Addr: addr} }
