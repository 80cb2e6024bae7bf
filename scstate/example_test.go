package scstate_test

import (
	"fmt"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/balancer/base"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/resolver"

	"github.com/evenkeel-grpc/evenkeel/scstate"
)

// A consumer that is woken when there is something to take, and ends when the
// Buffer is closed and empty.
func ExampleBuffer() {
	var events scstate.Buffer[string]
	go func() {
		defer events.Close()
		for _, s := range []string{"CONNECTING", "READY", "IDLE"} {
			events.Put(s) // Never waits, however slow the consumer is.
		}
	}()
	var batch []string
	for range events.Ready() {
		batch = events.Take(batch) // The array of the last batch is used again.
		for _, s := range batch {
			fmt.Println(s)
		}
	}
	fmt.Println("closed after", events.Total())
	// Output:
	// CONNECTING
	// READY
	// IDLE
	// closed after 3
}

// firstBuilder builds a policy that connects to the first address. It needs no
// lock, because it is registered as scstate.Wrap(firstBuilder{}).
type firstBuilder struct{}

func (firstBuilder) Name() string { return "first" }

func (firstBuilder) Build(cc balancer.ClientConn, _ balancer.BuildOptions) balancer.Balancer {
	return &first{cc: cc}
}

type first struct {
	balancer.Balancer // nil; a real policy has all the methods
	cc                balancer.ClientConn
}

func (f *first) UpdateClientConnState(s balancer.ClientConnState) error {
	if len(s.ResolverState.Endpoints) == 0 {
		return balancer.ErrBadResolverState
	}
	sc, err := f.cc.NewSubConn(s.ResolverState.Endpoints[0].Addresses[:1], balancer.NewSubConnOptions{
		StateListener: func(s balancer.SubConnState) { fmt.Println("listener:", s.ConnectivityState) },
	})
	if err != nil {
		return err
	}
	sc.Connect()
	fmt.Println("update done")
	return nil
}

// Receive makes first a scstate.Receiver. Without it, the listeners are called
// one by one.
func (f *first) Receive(batch []scstate.Update) {
	fmt.Println("batch of", len(batch))
	for _, u := range batch {
		u.Deliver()
	}
	last := batch[len(batch)-1].State.ConnectivityState
	f.cc.UpdateState(balancer.State{ConnectivityState: last, Picker: base.NewErrPicker(balancer.ErrNoSubConnAvailable)})
}

// A SubConn that changes its state while the policy is in a call: the changes
// wait for the call to end and come as one batch.
func ExampleWrap() {
	b := scstate.Wrap(firstBuilder{})
	policy := b.Build(&exampleClientConn{}, balancer.BuildOptions{}) // As grpc does.
	err := policy.UpdateClientConnState(update("192.0.2.1:443"))
	fmt.Println(b.Name(), "error:", err)
	// Output:
	// update done
	// batch of 2
	// listener: CONNECTING
	// listener: READY
	// channel: READY
	// first error: <nil>
}

// exampleClientConn plays grpc: its SubConns connect at once.
type exampleClientConn struct{ balancer.ClientConn }

func (exampleClientConn) UpdateState(s balancer.State) { fmt.Println("channel:", s.ConnectivityState) }

func (exampleClientConn) NewSubConn(_ []resolver.Address, o balancer.NewSubConnOptions) (balancer.SubConn, error) {
	return exampleSubConn{listener: o.StateListener}, nil
}

type exampleSubConn struct {
	balancer.SubConn
	listener func(balancer.SubConnState)
}

func (sc exampleSubConn) Connect() {
	sc.listener(balancer.SubConnState{ConnectivityState: connectivity.Connecting})
	sc.listener(balancer.SubConnState{ConnectivityState: connectivity.Ready})
}
