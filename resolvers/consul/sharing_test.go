package consul_test

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/consul/api"
	"google.golang.org/grpc/resolver"

	"github.com/evenkeel-grpc/evenkeel/resolvers/consul"
)

func TestChannelsShareOneQuery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := startFake(t, good)
		b := f.builder()
		for i := range 1000 {
			// Neither the order nor what is the channel's own makes a difference.
			cc := build(t, b, []string{"consul:///x?tag=a&tag=b", "consul:///x?tags=b,a&grace=1m&max-backoff=9s"}[i%2])
			expect(t, cc, "list 10.0.0.1:80")
		}
		if n := len(f.seen()); n != 2 { // the first, and the one that waits for a change
			t.Errorf("queries for 1000 channels = %d, want 2", n)
		}
		build(t, b, "consul:///x?tag=a")
		synctest.Wait()
		if n := len(f.seen()); n != 4 {
			t.Errorf("queries after a channel with another query = %d, want 4", n)
		}
		if n := f.connections(); n != 2 {
			t.Errorf("connections for 2 queries = %d, want 2", n)
		}
	})
}

func TestChannelsWithOtherCredentialsShareNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := startFake(t, good)
		b := f.builder()
		for _, target := range []string{"consul:///x?token=a", "consul:///x?token=b", "consul://u:a@h/x", "consul://u:b@h/x"} {
			build(t, b, target)
		}
		synctest.Wait()
		if n := len(f.seen()); n != 8 {
			t.Errorf("queries of 4 channels = %d, want 8", n)
		}
	})
}

func TestClientOfTheProgram(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := startFake(t, good)
		transport := &http.Transport{DialContext: f.dial}
		defer transport.CloseIdleConnections()
		c, err := api.NewClient(&api.Config{Address: "h:1", Token: "t0k3n", HttpClient: &http.Client{Transport: transport}})
		if err != nil {
			t.Fatal(err)
		}
		b := consul.NewBuilder(consul.WithClient(c))
		expect(t, build(t, b, "consul:///x"), "list 10.0.0.1:80")
		if got := f.seen()[0].header.Get("X-Consul-Token"); got != "t0k3n" {
			t.Errorf("X-Consul-Token: %q, want that of the client", got)
		}
		for _, target := range []string{"consul://h:1/x", "consul:///x?token=a", "consul:///x?scheme=https", "consul:///x?insecure"} {
			_, err := b.Build(resolver.Target{URL: parse(t, target)}, &recorder{}, resolver.BuildOptions{})
			if err == nil || !strings.Contains(err.Error(), "a client from WithClient") {
				t.Errorf("Build(%s) = %v, want an error about two clients", target, err)
			}
		}
	})
}

func TestChannelsComeAndGoFromManyGoroutines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := startFake(t, good)
		b := f.builder()
		var wg sync.WaitGroup
		for g := range 8 {
			wg.Go(func() {
				for i := range 25 {
					target := "consul:///x?tag=" + string(rune('a'+(g+i)%3))
					r, err := b.Build(resolver.Target{URL: parse(t, target)}, &recorder{}, resolver.BuildOptions{})
					if err != nil {
						t.Error(err)
						return
					}
					time.Sleep(time.Duration(i%3) * time.Second)
					r.Close()
				}
			})
		}
		wg.Wait()
		synctest.Wait()
		if n := f.connections(); n != 0 {
			t.Errorf("connections at the end = %d, want none", n)
		}
	})
}

// datacenters answers for each datacenter what the test says, and holds queries
// until that changes.
type datacenters struct {
	mu      sync.Mutex
	answers map[string]string // "" is an empty list, "!" a failure, else an address
	changed chan struct{}
	index   uint64
}

func (d *datacenters) set(dc, what string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answers[dc] = what
	d.index++
	close(d.changed)
	d.changed = make(chan struct{})
}

func (d *datacenters) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	dc := r.URL.Query().Get("dc")
	d.mu.Lock()
	what, changed := d.answers[dc], d.changed
	d.mu.Unlock()
	if r.URL.Query().Get("index") != "" {
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		}
		d.mu.Lock()
		what = d.answers[dc]
		d.mu.Unlock()
	}
	d.mu.Lock()
	index := d.index
	d.mu.Unlock()
	switch what {
	case "!":
		http.Error(w, "No path to datacenter", http.StatusInternalServerError)
	case "":
		answer(w, index)
	default:
		answer(w, index, instance(what))
	}
}

func TestDatacentersFailOverInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &datacenters{answers: map[string]string{"a": "10.0.0.1:80", "b": "10.0.0.2:80", "c": "10.0.0.3:80"}, changed: make(chan struct{}), index: 1}
		f := startFake(t, d.ServeHTTP)
		cc := f.build(t, "consul:///x?dc=a&dc=b&dc=c")
		asked := func() []string {
			var dcs []string
			for _, r := range f.seen() {
				dcs = append(dcs, r.params.Get("dc"))
			}
			slices.Sort(dcs)
			return slices.Compact(dcs)
		}
		expect(t, cc, "list 10.0.0.1:80")
		if got := asked(); !slices.Equal(got, []string{"a"}) {
			t.Errorf("datacenters asked = %q, want the first alone", got)
		}
		d.set("a", "")
		expect(t, cc, "list 10.0.0.2:80")
		d.set("b", "")
		expect(t, cc, "list 10.0.0.3:80")
		d.set("a", "10.0.0.4:80")
		expect(t, cc, "list 10.0.0.4:80")
		before := len(f.seen())
		d.set("c", "") // nobody listens any more
		time.Sleep(time.Second)
		expect(t, cc)
		for _, r := range f.seen()[before:] {
			if dc := r.params.Get("dc"); dc != "a" {
				t.Errorf("datacenter %s was asked, which is not needed", dc)
			}
		}

		// One that cannot be asked keeps its list for a while.
		d.set("b", "10.0.0.2:80")
		d.set("a", "!")
		time.Sleep(20 * time.Second)
		expect(t, cc)
		time.Sleep(15 * time.Second)
		expect(t, cc, "list 10.0.0.2:80")
		d.set("a", "10.0.0.1:80")
		time.Sleep(10 * time.Second)
		expect(t, cc, "list 10.0.0.1:80")
	})
}

func TestAllDatacentersSayWhy(t *testing.T) {
	for name, tt := range map[string]struct{ a, b, want string }{
		"both empty": {
			"", "",
			`error consul: "x": no endpoints: in a: Consul knows no instance of the service; in b: Consul knows no instance of the service`,
		},
		"both fail": {
			"!", "!",
			`error consul: "x": in a: Consul answers 500: No path to datacenter; in b: Consul answers 500: No path to datacenter`,
		},
		"one of each": {
			"!", "",
			`error consul: "x": in a: Consul answers 500: No path to datacenter; in b: Consul knows no instance of the service`,
		},
		"one that has none": {"!", "10.0.0.2:80", "list 10.0.0.2:80"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &datacenters{answers: map[string]string{"a": tt.a, "b": tt.b}, changed: make(chan struct{}), index: 1}
				f := startFake(t, d.ServeHTTP)
				cc := f.build(t, "consul:///x?dc=a&dc=b")
				time.Sleep(time.Minute)
				expect(t, cc, tt.want)
			})
		})
	}
}

func TestGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int64
		f := startFake(t, func(w http.ResponseWriter, r *http.Request) {
			hold(r)
			if n.Add(1) == 1 {
				answer(w, 7, instance("10.0.0.1:80"))
				return
			}
			answer(w, 8)
		})
		b := f.builder()
		kept := build(t, b, "consul:///x?wait=16s")
		dropped := build(t, b, "consul:///x?wait=16s&grace=0")
		time.Sleep(20 * time.Second)
		expect(t, kept, "list 10.0.0.1:80")
		none := `error consul: "x": no endpoints: Consul knows no instance of the service`
		expect(t, dropped, "list 10.0.0.1:80", "list ", none)
		time.Sleep(30 * time.Second)
		expect(t, kept, "list ", none)
	})
}
