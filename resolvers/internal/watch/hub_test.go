package watch_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/grpclog"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/serviceconfig"

	"github.com/evenkeel-grpc/evenkeel/resolvers/internal/watch"
)

// family is a set of channels that share sources by key.
type family struct {
	hubs    watch.Hubs[string]
	sources map[string][]*fakeSource
}

// join starts a watcher for cc on the source of the given key.
func (f *family) join(t *testing.T, cc resolver.ClientConn, key string, grace time.Duration) *watch.Watcher {
	t.Helper()
	if f.sources == nil {
		f.sources = make(map[string][]*fakeSource)
	}
	w := f.hubs.Start(cc, key, func() watch.Source {
		src := newFakeSource()
		f.sources[key] = append(f.sources[key], src)
		return src
	}, watch.Config{Name: "fake: x", Grace: grace, Logger: grpclog.Component("watch-test"), KeepServiceConfig: true})
	t.Cleanup(w.Close)
	return w
}

// channel is join for a new channel.
func (f *family) channel(t *testing.T, key string) (*watch.Watcher, *fakeChannel) {
	t.Helper()
	cc := newFakeChannel()
	return f.join(t, cc, key, time.Minute), cc
}

// source returns the only source that was made for a key.
func (f *family) source(t *testing.T, key string) *fakeSource {
	t.Helper()
	if n := len(f.sources[key]); n != 1 {
		t.Fatalf("sources made for %s = %d, want 1", key, n)
	}
	return f.sources[key][0]
}

func TestChannelsOfAKeyShareASource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f family
		_, a := f.channel(t, "k")
		_, b := f.channel(t, "k")
		_, other := f.channel(t, "l")
		f.source(t, "k").answers("1")
		expect(t, a, "list 1")
		expect(t, b, "list 1")
		expect(t, other)
		f.source(t, "l").fails("down")
		expect(t, a)
		expect(t, other, "error fake: x: down")
	})
}

func TestLaterChannelHearsAtOnceWhatIsKnown(t *testing.T) {
	for _, tt := range []struct {
		name   string
		before func(*fakeSource)
		want   []string
	}{
		{"nothing", func(*fakeSource) {}, nil},
		{"a list", func(s *fakeSource) { s.answers("1") }, []string{"list 1"}},
		{"the last list", func(s *fakeSource) { s.answers("1"); s.answers("2") }, []string{"list 2"}},
		{"an empty list", func(s *fakeSource) { s.answers("1"); s.answers("") }, []string{noEndpoints}},
		{"a failure", func(s *fakeSource) { s.fails("down") }, []string{"error fake: x: down"}},
		{"a list and a failure", func(s *fakeSource) { s.answers("1"); s.fails("down") }, []string{"list 1", "error fake: x: down"}},
		{"a list after a failure", func(s *fakeSource) { s.fails("down"); s.answers("1") }, []string{"list 1"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var f family
				f.channel(t, "k")
				src := f.source(t, "k")
				tt.before(src)
				_, late := f.channel(t, "k")
				expect(t, late, tt.want...)
				src.answers("9")
				expect(t, late, "list 9")
			})
		})
	}
}

// slowChannel hears of a list only after a while.
type slowChannel struct {
	*fakeChannel
	takes time.Duration
}

func (c slowChannel) UpdateState(s resolver.State) error {
	time.Sleep(c.takes)
	return c.fakeChannel.UpdateState(s)
}

func TestSlowChannelDelaysNoOtherAndGetsTheLatest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f family
		slow := slowChannel{newFakeChannel(), time.Second}
		f.join(t, slow, "k", time.Minute)
		_, quick := f.channel(t, "k")
		for i := range 10 {
			f.source(t, "k").answers(strconv.Itoa(i))
			expect(t, quick, fmt.Sprintf("list %d", i))
		}
		time.Sleep(time.Second)
		expect(t, slow.fakeChannel, "list 0")
		time.Sleep(time.Second)
		expect(t, slow.fakeChannel, "list 9")
	})
}

// What a slow channel has missed must not change what it ends up with.
func TestSlowChannelHearsOfFailuresInTheirOrder(t *testing.T) {
	for _, tt := range []struct {
		name   string
		missed func(*fakeSource)
		want   []string
	}{
		{"failed", func(s *fakeSource) { s.answers("1"); s.fails("a"); s.fails("b") }, []string{"list 1", "error fake: x: b"}},
		{"recovered", func(s *fakeSource) { s.fails("a"); s.answers("1"); s.answers("2") }, []string{"error fake: x: a", "list 2"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var f family
				slow := slowChannel{newFakeChannel(), time.Hour}
				f.join(t, slow, "k", time.Minute)
				src := f.source(t, "k")
				src.answers("0")
				tt.missed(src)
				time.Sleep(2 * time.Hour)
				expect(t, slow.fakeChannel, append([]string{"list 0"}, tt.want...)...)
			})
		})
	}
}

func TestEachChannelHasItsOwnGracePeriod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f family
		a, b := newFakeChannel(), newFakeChannel()
		f.join(t, a, "k", time.Second)
		f.join(t, b, "k", time.Hour)
		f.source(t, "k").answers("1")
		f.source(t, "k").answers("")
		time.Sleep(time.Minute)
		expect(t, a, "list 1", "list ", noEndpoints)
		expect(t, b, "list 1")
	})
}

func TestLastCloseStopsTheSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f family
		first, _ := f.channel(t, "k")
		last, cc := f.channel(t, "k")
		src := f.source(t, "k")
		src.linger = time.Second
		began := time.Now()
		first.Close()
		src.answers("1")
		expect(t, cc, "list 1")
		if d := time.Since(began); d != 0 {
			t.Errorf("closing one of two channels took %v", d)
		}
		last.Close()
		if d := time.Since(began); d != time.Second {
			t.Errorf("Close of the last channel returned after %v, want %v, when the source is gone", d, time.Second)
		}
		f.channel(t, "k")
		if n := len(f.sources["k"]); n != 2 {
			t.Errorf("sources made = %d, want another one after the last Close", n)
		}
	})
}

func TestAnyChannelHastensTheNextRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f family
		f.channel(t, "k")
		w, _ := f.channel(t, "k")
		src := f.source(t, "k")
		for range 10 {
			src.fails("down")
		}
		time.Sleep(watch.ResolveNowInterval)
		began := time.Now()
		w.ResolveNow(resolver.ResolveNowOptions{})
		src.answers("1")
		if d := time.Since(began); d != 0 {
			t.Errorf("run %v after ResolveNow, want at once", d)
		}
	})
}

// parsingChannel remembers what it has parsed.
type parsingChannel struct {
	*fakeChannel
	parsed []string
}

func (c *parsingChannel) ParseServiceConfig(text string) *serviceconfig.ParseResult {
	c.parsed = append(c.parsed, text)
	if text == "malformed" {
		return &serviceconfig.ParseResult{Err: errors.New(text)}
	}
	return &serviceconfig.ParseResult{}
}

func TestEachChannelParsesTheServiceConfigOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f family
		a, b := &parsingChannel{fakeChannel: newFakeChannel()}, &parsingChannel{fakeChannel: newFakeChannel()}
		f.join(t, a, "k", time.Minute)
		f.join(t, b, "k", time.Minute)
		src := f.source(t, "k")
		for _, s := range []struct{ list, config string }{
			{"1", "{}"}, {"1", "{}"}, {"1 2", "{}"}, {"1 2", `{"x":1}`}, {"1 2", ""},
		} {
			src.steps <- step{answer: watch.Snapshot{Endpoints: endpoints(s.list), ServiceConfigJSON: s.config}}
			synctest.Wait()
		}
		for _, cc := range []*parsingChannel{a, b} {
			if want := []string{"{}", `{"x":1}`}; !slices.Equal(cc.parsed, want) {
				t.Errorf("parsed %q, want %q", cc.parsed, want)
			}
			expect(t, cc.fakeChannel, "list 1", "list 1 2", "list 1 2", "list 1 2")
			if cc.last.ServiceConfig != nil {
				t.Errorf("service config = %v, want none", cc.last.ServiceConfig)
			}
		}
	})
}

func TestMalformedServiceConfigKeepsTheLastGoodOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f family
		cc := &parsingChannel{fakeChannel: newFakeChannel()}
		f.join(t, cc, "k", time.Minute)
		src := f.source(t, "k")
		answer := func(list, config string) {
			src.steps <- step{answer: watch.Snapshot{Endpoints: endpoints(list), ServiceConfigJSON: config}}
			synctest.Wait()
		}
		answer("1", "malformed")
		expect(t, cc.fakeChannel, "list 1")
		if cc.last.ServiceConfig != nil {
			t.Errorf("service config = %v, want none", cc.last.ServiceConfig)
		}
		answer("1", "{}")
		expect(t, cc.fakeChannel, "list 1")
		good := cc.last.ServiceConfig
		answer("1", "malformed")
		expect(t, cc.fakeChannel) // nothing changed
		answer("1 2", "malformed")
		expect(t, cc.fakeChannel, "list 1 2")
		if good == nil || cc.last.ServiceConfig != good {
			t.Errorf("service config = %v, want the last good one %v", cc.last.ServiceConfig, good)
		}
		answer("1 2", "")
		answer("1 2", "malformed")
		expect(t, cc.fakeChannel, "list 1 2")
		if cc.last.ServiceConfig != nil {
			t.Errorf("service config = %v, want none after it was taken away", cc.last.ServiceConfig)
		}
	})
}

// TestChannelsComeAndGo opens and closes channels of a few keys from many
// goroutines, and checks that a source runs exactly while somebody uses it.
func TestChannelsComeAndGo(t *testing.T) {
	var hubs watch.Hubs[int]
	var running atomic.Int64
	var wg sync.WaitGroup
	logger := grpclog.Component("watch-test") // not from several goroutines
	for g := range 8 {
		wg.Go(func() {
			for i := range 200 {
				cc := newSignalChannel()
				w := hubs.Start(cc, (g+i)%3, func() watch.Source { return countedSource{&running} },
					watch.Config{Name: "fake: x", Logger: logger})
				if i%2 == 0 {
					<-cc.told
				}
				w.Close()
			}
		})
	}
	wg.Wait()
	if n := running.Load(); n != 0 {
		t.Errorf("sources that still run = %d, want none", n)
	}
}

// countedSource publishes one list and counts how many of its kind run.
type countedSource struct{ running *atomic.Int64 }

func (s countedSource) Run(ctx context.Context, publish func(watch.Snapshot)) error {
	s.running.Add(1)
	defer s.running.Add(-1)
	publish(watch.Snapshot{Endpoints: endpoints("1")})
	<-ctx.Done()
	return ctx.Err()
}

// signalChannel tells when it has a list.
type signalChannel struct {
	resolver.ClientConn // panics on anything else
	told                chan struct{}
}

func newSignalChannel() signalChannel { return signalChannel{told: make(chan struct{}, 1)} }

func (c signalChannel) UpdateState(resolver.State) error {
	c.told <- struct{}{}
	return nil
}
