package watch_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/attributes"
	"google.golang.org/grpc/grpclog"
	"google.golang.org/grpc/resolver"

	"github.com/evenkeel-grpc/evenkeel/resolvers/internal/watch"
)

// fakeChannel writes down what it is told, with the time since it was made.
type fakeChannel struct {
	resolver.ClientConn // panics on anything else

	began time.Time
	mu    sync.Mutex // guards the fields below
	calls []string
	times []time.Duration
	last  resolver.State
	err   error
}

func newFakeChannel() *fakeChannel { return &fakeChannel{began: time.Now()} }

func (c *fakeChannel) UpdateState(s resolver.State) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = s
	c.note("list " + show(s.Endpoints))
	return errors.New("an error that the watcher ignores")
}

func (c *fakeChannel) ReportError(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
	c.note("error " + err.Error())
}

func (c *fakeChannel) note(call string) {
	c.calls = append(c.calls, call)
	c.times = append(c.times, time.Since(c.began))
}

// take returns what was noted since the last take.
func (c *fakeChannel) take() []string {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	calls := c.calls
	c.calls, c.times = nil, nil
	return calls
}

// show prints endpoints as a+b c{v}: a and b are addresses of one endpoint, v is
// the attribute of another.
func show(list []resolver.Endpoint) string {
	var all []string
	for _, e := range list {
		var addrs []string
		for _, a := range e.Addresses {
			addrs = append(addrs, a.Addr)
		}
		s := strings.Join(addrs, "+")
		if v := e.Attributes.Value("v"); v != nil {
			s += fmt.Sprintf("{%v}", v)
		}
		all = append(all, s)
	}
	return strings.Join(all, " ")
}

// endpoints is the reverse of show.
func endpoints(shown string) []resolver.Endpoint {
	var list []resolver.Endpoint
	for s := range strings.FieldsSeq(shown) {
		var e resolver.Endpoint
		addrs, v, ok := strings.Cut(strings.TrimSuffix(s, "}"), "{")
		if ok {
			e.Attributes = attributes.New("v", v)
		}
		for a := range strings.SplitSeq(addrs, "+") {
			e.Addresses = append(e.Addresses, resolver.Address{Addr: a})
		}
		list = append(list, e)
	}
	return list
}

// fakeSource does what the test says, and notes when it was run.
type fakeSource struct {
	steps  chan step
	linger time.Duration // between the end of ctx and that of Run

	mu   sync.Mutex // guards the field below
	runs []time.Time
}

// step is one answer or, if err is not nil, the end of a run.
type step struct {
	answer watch.Snapshot
	err    error
}

func newFakeSource() *fakeSource { return &fakeSource{steps: make(chan step)} }

func (s *fakeSource) Run(ctx context.Context, publish func(watch.Snapshot)) error {
	s.mu.Lock()
	s.runs = append(s.runs, time.Now())
	s.mu.Unlock()
	for {
		select {
		case next := <-s.steps:
			if next.err != nil {
				return next.err
			}
			publish(next.answer)
		case <-ctx.Done():
			time.Sleep(s.linger)
			return ctx.Err()
		}
	}
}

// answers and fails wait until the source runs and has done it.
func (s *fakeSource) answers(shown string) {
	s.steps <- step{answer: watch.Snapshot{Endpoints: endpoints(shown)}}
	synctest.Wait()
}

func (s *fakeSource) fails(text string) {
	s.steps <- step{err: errors.New(text)}
	synctest.Wait()
}

// gaps returns the time between the starts of neighbouring runs.
func (s *fakeSource) gaps() []time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	var gaps []time.Duration
	for i := 1; i < len(s.runs); i++ {
		gaps = append(gaps, s.runs[i].Sub(s.runs[i-1]))
	}
	return gaps
}

// broken is a source that always fails at once, after a list if it has one.
type broken struct {
	list string

	mu   sync.Mutex // guards the field below
	runs []time.Time
}

func (b *broken) Run(_ context.Context, publish func(watch.Snapshot)) error {
	b.mu.Lock()
	b.runs = append(b.runs, time.Now())
	b.mu.Unlock()
	if b.list != "" {
		publish(watch.Snapshot{Endpoints: endpoints(b.list)})
	}
	return errors.New("down")
}

func (b *broken) starts() []time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.runs)
}

// start runs src in the bubble of t with a grace period of one minute.
func start(t *testing.T, src watch.Source) (*watch.Watcher, *fakeChannel) {
	t.Helper()
	return startGrace(t, src, time.Minute)
}

func startGrace(t *testing.T, src watch.Source, grace time.Duration) (*watch.Watcher, *fakeChannel) {
	t.Helper()
	cc := newFakeChannel()
	w := watch.Start(cc, src, watch.Config{
		Name:   "fake: x",
		Grace:  grace,
		Logger: grpclog.Component("watch-test"),
	})
	t.Cleanup(w.Close)
	return w, cc
}

// expect fails the test unless cc was told exactly want since the last take.
func expect(t *testing.T, cc *fakeChannel, want ...string) {
	t.Helper()
	if got := cc.take(); !slices.Equal(got, want) {
		t.Fatalf("the channel was told %q, want %q", got, want)
	}
}
