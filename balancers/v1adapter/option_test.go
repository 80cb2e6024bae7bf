package v1adapter_test

import (
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/status"

	"github.com/evenkeel-grpc/evenkeel"
	"github.com/evenkeel-grpc/evenkeel/balancers/v1adapter"
	"github.com/evenkeel-grpc/evenkeel/registry"
)

const idle = time.Minute

// sleepLong lets a channel without RPCs go idle, if it does that.
func sleepLong() {
	time.Sleep(time.Hour)
	synctest.Wait()
}

// Idle: a balancer that is made for each channel is made again.
func TestIdleWithAFunction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a")
		var made []*fake
		cc := w.dial(append(v1adapter.DialOptionsFunc(func() v1adapter.Balancer {
			made = append(made, newFake(addrs("a")...))
			return made[len(made)-1]
		}), grpc.WithIdleTimeout(idle))...)
		for range 3 {
			if s, err := call(t.Context(), cc); s != "a" {
				t.Errorf("RPC = %q, %v, want a", s, err)
			}
			sleepLong()
			wantState(t, cc, connectivity.Idle)
		}
		if len(made) != 3 {
			t.Errorf("balancers made = %d, want 3", len(made))
		}
		for _, f := range made {
			f.wantEvents(t, "start target", "notify", "up a", "down a", "close")
		}
	})
}

// Idle: with one balancer the channel does not go idle, unless told to.
func TestIdleWithOneBalancer(t *testing.T) {
	for name, dial := range map[string]func(string, *fake, ...grpc.DialOption) (*grpc.ClientConn, error){
		"DialOptions": func(s string, f *fake, opts ...grpc.DialOption) (*grpc.ClientConn, error) {
			return grpc.NewClient(s, append(opts, v1adapter.DialOptions(f)...)...)
		},
		"WithBalancer and evenkeel.NewClient": func(s string, f *fake, opts ...grpc.DialOption) (*grpc.ClientConn, error) {
			return evenkeel.NewClient(s, append(opts, v1adapter.WithBalancer(f))...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, f := newWorld(t, "a"), newFake(addrs("a")...)
				cc, err := dial("passthrough:///target", f, w.options()...)
				if err != nil {
					t.Fatal(err)
				}
				w.connect(cc)
				sleepLong()
				if s, err := call(t.Context(), cc); s != "a" {
					t.Errorf("RPC = %q, %v, want a", s, err)
				}
				f.wantEvents(t, "start target", "notify", "up a")
			})
		})
	}
}

// Idle: a closed balancer is not started again, and RPCs say what to do.
func TestIdleWithBalancerAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, f := newWorld(t, "a"), newFake(addrs("a")...)
		cc := w.dial(v1adapter.WithBalancer(f))
		sleepLong()
		_, err := call(t.Context(), cc)
		if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "the channel went idle") || !strings.Contains(err.Error(), "DialOptions") {
			t.Errorf("RPC = %v, want UNAVAILABLE that says what to do", err)
		}
		f.wantEvents(t, "start target", "notify", "up a", "down a", "close")
	})
}

// Two channels do not share a balancer, unless its function says so.
func TestTwoChannels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, f := newWorld(t, "a"), newFake(addrs("a")...)
		one := v1adapter.DialOptions(f)
		w.dial(one...)
		if _, err := call(t.Context(), w.dial(one...)); status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "another channel has the same option") {
			t.Errorf("RPC = %v, want UNAVAILABLE", err)
		}
		n := 0
		many := v1adapter.DialOptionsFunc(func() v1adapter.Balancer {
			n++
			return newFake(addrs("a")...)
		})
		for range 2 {
			if s, err := call(t.Context(), w.dial(many...)); s != "a" {
				t.Errorf("RPC = %q, %v, want a", s, err)
			}
		}
		if n != 2 {
			t.Errorf("balancers made = %d, want 2", n)
		}
	})
}

// What an option holds is freed with it and the channels that it was given to,
// whether or not they were used.
func TestOptionsAreFreed(t *testing.T) {
	freed := make(chan string, 3)
	watch := func(name string) *fake {
		f := newFake()
		runtime.AddCleanup(f, func(name string) { freed <- name }, name)
		return f
	}
	dial := func(opts ...grpc.DialOption) *grpc.ClientConn {
		cc, err := grpc.NewClient("passthrough:///x", append(new(world).options(), opts...)...)
		if err != nil {
			t.Fatal(err)
		}
		return cc
	}
	kept := v1adapter.DialOptions(watch("kept"))
	unused := dial(v1adapter.WithBalancer(watch("unused")))
	v1adapter.WithBalancer(watch("never dialed"))
	collect := func(n int) map[string]bool {
		got := map[string]bool{}
		for len(got) < n {
			runtime.GC()
			select {
			case name := <-freed:
				got[name] = true
			default:
				runtime.Gosched()
			}
		}
		return got
	}
	if diff := cmp.Diff(map[string]bool{"never dialed": true}, collect(1)); diff != "" {
		t.Errorf("freed (-want +got):\n%s", diff)
	}
	_ = unused.Close()
	if diff := cmp.Diff(map[string]bool{"unused": true}, collect(1)); diff != "" {
		t.Errorf("freed (-want +got):\n%s", diff)
	}
	_ = dial(kept...).Close() // Its balancer is still known.
	if diff := cmp.Diff(map[string]bool{"kept": true}, collect(1)); diff != "" {
		t.Errorf("freed (-want +got):\n%s", diff)
	}
}

func TestConfigOfSomebody(t *testing.T) {
	for js, want := range map[string]string{
		`{}`:                  `v1adapter: no instance "": select a balancer with WithBalancer, DialOptions or DialOptionsFunc; for a service config, register NewBuilder's under a name`,
		`{"instance":"none"}`: `v1adapter: no instance "none": `,
		`{"instance":1}`:      `v1adapter: config {"instance":1}: json: cannot unmarshal number`,
	} {
		p, ok := balancer.Get(v1adapter.Name).(balancer.ConfigParser)
		if !ok {
			t.Fatal("the policy has no ConfigParser")
		}
		if _, err := p.ParseConfig([]byte(js)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("ParseConfig(%s) = %v\nwant %s", js, err, want)
		}
		if err := registry.CheckServiceConfig(`{"loadBalancingConfig":[{"v1adapter":` + js + `}]}`); err == nil {
			t.Errorf("CheckServiceConfig of %s = nil, want an error", js)
		}
	}
}

// The policy is used by grpc.Dial as well, whose targets need no scheme.
func TestDial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, f := newWorld(t, "a"), newFake(addrs("a")...)
		cc, err := grpc.Dial("host:80", append(append(w.options(), v1adapter.WithBalancer(f)), grpc.WithBlock())...) //nolint:staticcheck // what v1 code calls
		if err != nil {
			t.Fatal(err)
		}
		w.connect(cc)
		wantState(t, cc, connectivity.Ready)
		f.wantEvents(t, "start host:80", "notify", "up a")
	})
}
