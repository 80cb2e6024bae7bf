package v1adapter_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	v1 "github.com/evenkeel-grpc/evenkeel/balancers/v1adapter"
	"github.com/evenkeel-grpc/evenkeel/balancers/v1adapter/naming"
)

// This file is a program written for grpc v1.29.1: with the last two imports
// changed to grpc and grpc/naming it compiles there, and testdata/v1.29.1.txt is
// what it said. Package e2e compiles and runs it again.

// scenario is a v1 program that says what it sees.
type scenario struct {
	dial  func(v1.Balancer) []grpc.DialOption // what stands for grpc.WithBalancer
	addr  func() string                       // where the next server is to listen
	out   strings.Builder
	names sync.Map // of servers, by address
}

func (s *scenario) say(label, format string, args ...any) {
	fmt.Fprintf(&s.out, "%s: "+format+"\n", append([]any{label}, args...)...)
}

// run runs all parts and returns what they said.
func (s *scenario) run() string {
	s.roundRobinAlone()
	s.roundRobin()
	s.ownBalancer()
	s.errorsOfGet()
	s.closeDuringGet()
	s.dns()
	return s.out.String()
}

// listenOn starts a server and returns its address and what stops it.
func (s *scenario) listenOn(name, addr string) (string, func()) {
	lis, err := net.Listen("tcp", addr) //nolint:noctx // a program of its time
	if err != nil {
		panic(err)
	}
	server := grpc.NewServer()
	healthpb.RegisterHealthServer(server, &healthpb.UnimplementedHealthServer{})
	go func() { _ = server.Serve(lis) }()
	s.names.Store(lis.Addr().String(), name)
	return lis.Addr().String(), server.Stop
}

// connect dials target with a balancer.
func (s *scenario) connect(b v1.Balancer) *grpc.ClientConn {
	cc, err := grpc.Dial("target", append(s.dial(b), grpc.WithInsecure())...) //nolint:staticcheck // a program of its time
	if err != nil {
		panic(err)
	}
	return cc
}

// rpc returns the server that an RPC reached, or its code and text. The servers
// do not implement the method.
func (s *scenario) rpc(cc *grpc.ClientConn, timeout time.Duration, waits bool) string {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	var p peer.Peer
	_, err := healthpb.NewHealthClient(cc).Check(ctx, &healthpb.HealthCheckRequest{}, grpc.WaitForReady(waits), grpc.Peer(&p))
	if status.Code(err) == codes.Unimplemented {
		name, _ := s.names.Load(p.Addr.String())
		return fmt.Sprint(name)
	}
	return fmt.Sprintf("%v %q", status.Code(err), status.Convert(err).Message())
}

const (
	short = 200 * time.Millisecond
	long  = 20 * time.Second
)

// turns makes RPCs until one reaches start, and returns what the next n reach.
func (s *scenario) turns(cc *grpc.ClientConn, start string, n int) string {
	for s.rpc(cc, long, true) != start {
	}
	var got []string
	for range n {
		got = append(got, s.rpc(cc, long, true))
	}
	return strings.Join(got, " ")
}

// await makes RPCs until their results are these servers, each at least once.
func (s *scenario) await(cc *grpc.ClientConn, servers ...string) {
	for {
		got := map[string]bool{}
		for range 2 * len(servers) {
			got[s.rpc(cc, long, true)] = true
		}
		all := len(got) == len(servers)
		for _, name := range servers {
			all = all && got[name]
		}
		if all {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// awaitFailure makes RPCs until one fails, and waits until the channel has no
// connection either: the balancer knows first that an address is gone.
func (s *scenario) awaitFailure(cc *grpc.ClientConn) {
	for !strings.Contains(s.rpc(cc, long, false), " ") || cc.GetState() != connectivity.TransientFailure {
		time.Sleep(10 * time.Millisecond)
	}
}

// feed is a naming.Resolver that says what it is sent.
type feed struct {
	updates chan []*naming.Update
	closed  chan struct{}
	once    sync.Once
}

func newFeed() *feed {
	return &feed{updates: make(chan []*naming.Update), closed: make(chan struct{})}
}

func (f *feed) Resolve(string) (naming.Watcher, error) { return f, nil }

func (f *feed) Next() ([]*naming.Update, error) {
	select {
	case u := <-f.updates:
		return u, nil
	case <-f.closed:
		return nil, errors.New("closed")
	}
}

func (f *feed) Close() { f.once.Do(func() { close(f.closed) }) }

func plus(addr string) *naming.Update { return &naming.Update{Op: naming.Add, Addr: addr} }

func minus(addr string) *naming.Update { return &naming.Update{Op: naming.Delete, Addr: addr} }

// send sends updates, and then nothing, so that the updates have been applied.
func (f *feed) send(updates ...*naming.Update) {
	f.updates <- updates
	f.updates <- nil
}

// got is the result of a Get in words.
func got(addr v1.Address, _ func(), err error) string {
	if err != nil {
		return fmt.Sprintf("%v %q", status.Code(err), err.Error())
	}
	return addr.Addr
}

// roundRobinAlone calls RoundRobin as the channel would.
func (s *scenario) roundRobinAlone() {
	f := newFeed()
	b := v1.RoundRobin(f)
	ctx := context.Background()
	get := func(n int) string {
		var all []string
		for range n {
			all = append(all, got(b.Get(ctx, v1.BalancerGetOptions{})))
		}
		return strings.Join(all, " ")
	}
	s.say("alone start", "%v", b.Start("x", v1.BalancerConfig{}))
	s.say("alone empty", "%s", get(2))
	f.send(plus("a"), plus("b"), plus("c"))
	s.say("alone list", "%v", <-b.Notify())
	s.say("alone none up", "%s", get(5))
	downB := b.Up(v1.Address{Addr: "b"})
	s.say("alone b up", "%s", get(3))
	b.Up(v1.Address{Addr: "c"})
	downA := b.Up(v1.Address{Addr: "a"})
	s.say("alone all up", "%s", get(5))
	downB(errors.New("lost"))
	s.say("alone b down", "%s", get(4))
	f.send(plus("d"))
	b.Up(v1.Address{Addr: "d"})
	s.say("alone d added", "%s", get(5))
	f.send(plus("e"))
	b.Up(v1.Address{Addr: "e"})
	s.say("alone e added", "%s", get(6))
	f.send(minus("e"))
	f.send(minus("a"), minus("nobody"), plus("c"), &naming.Update{Op: 9, Addr: "e"})
	s.say("alone list after", "%v", <-b.Notify())
	s.say("alone a deleted", "%s", get(5))
	downA(errors.New("lost"))
	f.send(minus("c"), minus("d"))
	s.say("alone only b, down", "%s", get(2))
	f.send(plus("a"))
	s.say("alone a back", "%s", get(3))
	ctx, cancel := context.WithTimeout(ctx, short)
	defer cancel()
	s.say("alone blocking", "%s", got(b.Get(ctx, v1.BalancerGetOptions{BlockingWait: true})))
	s.say("alone close", "%v", b.Close())
	s.say("alone closed", "%s, start %v, close %v", get(1), b.Start("x", v1.BalancerConfig{}), b.Close())
	_, open := <-b.Notify()
	_, open2 := <-b.Notify() // One list may have been left.
	s.say("alone notify open", "%v", open && open2)
}

// roundRobin is RoundRobin in a channel over three servers.
func (s *scenario) roundRobin() {
	a, stopA := s.listenOn("A", s.addr())
	b, stopB := s.listenOn("B", s.addr())
	c, stopC := s.listenOn("C", s.addr())
	f := newFeed()
	cc := s.connect(v1.RoundRobin(f))
	s.say("no address", "%s", s.rpc(cc, long, false))
	s.say("no address, waits", "%.16s", s.rpc(cc, short, true))
	blocked := make(chan string)
	go func() { blocked <- s.rpc(cc, long, true) }()
	f.send(plus(a))
	s.say("address appears", "%s", <-blocked)
	f.send(plus(b), plus(c))
	s.await(cc, "A", "B", "C")
	s.say("three", "%s", s.turns(cc, "A", 6))
	f.send(plus(b), plus(a))
	s.say("duplicates", "%s", s.turns(cc, "A", 6))
	f.send(minus(b))
	s.await(cc, "A", "C")
	s.say("deleted", "%s", s.turns(cc, "A", 4))
	f.send(&naming.Update{Op: naming.Add, Addr: b, Metadata: "m"})
	s.await(cc, "A", "B", "C")
	s.say("added with metadata", "%s", s.turns(cc, "A", 6))
	f.send(minus(b))
	s.say("deleted without metadata", "%s", s.turns(cc, "A", 6))
	f.send(minus(a), minus(c), &naming.Update{Op: naming.Delete, Addr: b, Metadata: "m"})
	s.awaitFailure(cc)
	s.say("all deleted", "%s", s.rpc(cc, long, false))
	f.send(plus(b), plus(a))
	s.await(cc, "A", "B")
	s.say("added again", "%s", s.turns(cc, "B", 4))
	stopA()
	s.await(cc, "B")
	s.say("A is down", "%s", s.turns(cc, "B", 3))
	stopB()
	s.awaitFailure(cc)
	s.say("all are down", "%.11s", s.rpc(cc, long, false))
	s.say("all are down, waits", "%.16s", s.rpc(cc, short, true))
	go func() { blocked <- s.rpc(cc, long, true) }()
	_, stopA = s.listenOn("A", a)
	s.say("A is back", "%s", <-blocked)
	_ = cc.Close()
	s.say("closed", "%s", s.rpc(cc, long, false))
	stopA()
	stopC()
}

// own is a v1 balancer that gives out what it is told to.
type own struct {
	lists chan []v1.Address

	mu     sync.Mutex
	addr   v1.Address
	puts   int
	err    error
	block  chan struct{}
	events []string
	gets   []bool
}

func (o *own) note(format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.events = append(o.events, fmt.Sprintf(format, args...))
}

// await waits for an event, and returns all until then.
func (o *own) await(last string) []string {
	for {
		o.mu.Lock()
		e := o.events
		if len(e) > 0 && strings.HasPrefix(e[len(e)-1], last) {
			o.events = nil
			o.mu.Unlock()
			return e
		}
		o.mu.Unlock()
		time.Sleep(time.Millisecond)
	}
}

func (o *own) Start(target string, c v1.BalancerConfig) error {
	o.note("start %s", target)
	return nil
}

func (o *own) Up(a v1.Address) func(error) {
	o.note("up %v", a.Metadata)
	return func(err error) { o.note("down %v, error %v", a.Metadata, err != nil) }
}

func (o *own) Get(ctx context.Context, opts v1.BalancerGetOptions) (v1.Address, func(), error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.gets = append(o.gets, opts.BlockingWait)
	if o.block != nil {
		close(o.block)
		o.block = nil
		o.mu.Unlock()
		<-ctx.Done()
		o.mu.Lock()
		return v1.Address{}, nil, ctx.Err()
	}
	return o.addr, o.put, o.err
}

func (o *own) put() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.puts++
}

// give sets what Get returns.
func (o *own) give(addr v1.Address, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.addr, o.err = addr, err
}

// seen returns BlockingWait of all Gets, and the number of puts.
func (o *own) seen() ([]bool, int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.gets, o.puts
}

func (o *own) Notify() <-chan []v1.Address { return o.lists }

func (o *own) Close() error {
	o.note("close")
	return nil
}

// ownBalancer shows how a channel calls a balancer.
func (s *scenario) ownBalancer() {
	a, stop := s.listenOn("A", s.addr())
	defer stop()
	one, two := v1.Address{Addr: a, Metadata: "one"}, v1.Address{Addr: a, Metadata: "two"}
	o := &own{lists: make(chan []v1.Address), addr: one}
	cc := s.connect(o)
	o.lists <- []v1.Address{one, one}
	s.say("own up", "%v", o.await("up"))
	s.say("own RPCs", "%s %s", s.rpc(cc, long, false), s.rpc(cc, long, true))
	gets, puts := o.seen()
	s.say("own BlockingWait", "%v, puts %d", gets, puts)
	o.lists <- []v1.Address{one, two}
	s.say("own other metadata", "%v", o.await("up"))
	o.lists <- []v1.Address{two}
	s.say("own removed", "%v", o.await("down"))
	o.give(two, nil)
	s.say("own RPC to the other", "%s", s.rpc(cc, long, false))
	close(o.lists)
	s.say("own notify closed", "%s", s.rpc(cc, long, false))
	_ = cc.Close()
	s.say("own closed", "%v", o.await("close"))
}

// errorsOfGet shows what errors become.
func (s *scenario) errorsOfGet() {
	o := &own{lists: make(chan []v1.Address)}
	cc := s.connect(o)
	defer func() { _ = cc.Close() }()
	for _, err := range []error{
		status.Error(codes.Unavailable, "nobody home"),
		status.Error(codes.ResourceExhausted, "too many"),
		status.Error(codes.NotFound, "what?"),
		context.DeadlineExceeded,
		context.Canceled,
		errors.New("plain"),
	} {
		o.give(v1.Address{}, err)
		s.say(fmt.Sprintf("get error %q", err), "%s", s.rpc(cc, long, false))
		s.say(fmt.Sprintf("get error %q, waits", err), "%s", s.rpc(cc, long, true))
	}
}

// closeDuringGet closes a channel while a Get is under way.
func (s *scenario) closeDuringGet() {
	o := &own{lists: make(chan []v1.Address), block: make(chan struct{})}
	blocked, ended := o.block, make(chan string)
	cc := s.connect(o)
	go func() { ended <- s.rpc(cc, 2*time.Second, true) }()
	<-blocked
	_ = cc.Close()
	s.say("close during get", "%s", strings.Fields(<-ended)[0])
	s.say("close during get, calls", "%v", o.await("close"))
}

// dns resolves what needs no DNS.
func (s *scenario) dns() {
	r, err := naming.NewDNSResolver()
	s.say("dns", "%v", err)
	for _, target := range []string{"10.0.0.1", "10.0.0.1:80", "::1", "[::1]:80", "[::1]:"} {
		w, err := r.Resolve(target)
		if err != nil {
			s.say("dns "+target, "%v", err)
			continue
		}
		u, err := w.Next()
		s.say("dns "+target, "%v %v %v", u[0].Op, u[0].Addr, err)
		w.Close()
		_, err = w.Next()
		s.say("dns "+target+" closed", "%v", err)
	}
	for _, target := range []string{"", "a:b:c"} {
		_, err := r.Resolve(target)
		s.say(fmt.Sprintf("dns %q refused", target), "%v", err != nil)
	}
}
