package v1adapter_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/status"

	"github.com/evenkeel-grpc/evenkeel"
	"github.com/evenkeel-grpc/evenkeel/balancers/v1adapter"
)

// Life cycle: Start before all else, Close last, once each.
func TestOrderOfCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, f := newWorld(t, "a"), newFake(addrs("a")...)
		cc := w.dial(v1adapter.DialOptions(f)...)
		if _, err := call(t.Context(), cc); err != nil {
			t.Error(err)
		}
		_ = cc.Close()
		synctest.Wait()
		want := []string{"start target", "notify", "up a", "down a", "close"}
		if diff := cmp.Diff(want, f.take()); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
	})
}

// Life cycle: the target comes without its scheme.
func TestTargetOfStart(t *testing.T) {
	for target, want := range map[string]string{
		"passthrough:///host:80": "host:80", "passthrough:///svc/name": "svc/name", "manual:///x": "x", "manual://authority/x": "x",
	} {
		t.Run(target, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, f := newWorld(t), newFake()
				r := manual.NewBuilderWithScheme("manual")
				r.InitialState(resolver.State{})
				cc, err := grpc.NewClient(target, append(append(w.options(), grpc.WithResolvers(r)), v1adapter.DialOptions(f)...)...)
				if err != nil {
					t.Fatal(err)
				}
				w.connect(cc)
				if got := f.take()[0]; got != "start "+want {
					t.Errorf("Start was %q, want of %q", got, want)
				}
			})
		})
	}
}

// Life cycle: nobody looks up a target in DNS, except on a channel that does not
// have DialOptions.
func TestTargetIsNotLookedUp(t *testing.T) {
	for _, target := range []string{"no.such.host:80", "dns:///no.such.host:80"} {
		t.Run(target, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, f := newWorld(t, "a"), newFake(addrs("a")...)
				cc, err := evenkeel.NewClient(target, append(w.options(), v1adapter.WithBalancer(f))...)
				if err != nil {
					t.Fatal(err)
				}
				w.connect(cc)
				if s, err := call(t.Context(), cc); s != "a" {
					t.Errorf("RPC = %q, %v, want a", s, err)
				}
				f.wantEvents(t, "start no.such.host:80", "notify", "up a")
			})
		})
	}
}

// Life cycle: Start gets the channel's credentials and dialer.
func TestConfigOfStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, f := newWorld(t), newFake()
		var got v1adapter.BalancerConfig
		f.start = func(_ string, c v1adapter.BalancerConfig) error {
			got = c
			return nil
		}
		creds := credentials.NewTLS(nil)
		cc := w.dial(append(v1adapter.DialOptions(f), grpc.WithTransportCredentials(creds))...)
		defer cc.Close() //nolint:errcheck // closed again
		if got.DialCreds != creds {
			t.Errorf("DialCreds = %v, want the channel's", got.DialCreds)
		}
		if _, err := got.Dialer(t.Context(), "nobody"); err == nil || w.dialed("nobody") != 1 {
			t.Errorf("Dialer = %v, want the channel's", err)
		}
	})
}

// Life cycle: insecure credentials are credentials, too.
func TestInsecureCredentials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, f := newWorld(t), newFake()
		f.start = func(_ string, c v1adapter.BalancerConfig) error {
			if c.DialCreds == nil || c.DialCreds.Info().SecurityProtocol != "insecure" {
				t.Errorf("DialCreds = %v, want those of the channel", c.DialCreds)
			}
			return nil
		}
		w.dial(v1adapter.DialOptions(f)...)
		f.wantEvents(t, "start target", "notify")
	})
}

// Life cycle: Start's error fails RPCs as UNAVAILABLE, and wait-for-ready ones
// wait. Start is tried again when grpc asks: on Connect, on an update.
func TestStartFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, f := newWorld(t, "a"), newFake(addrs("a")...)
		fail := status.Error(codes.PermissionDenied, "no such luck")
		f.start = func(string, v1adapter.BalancerConfig) error { return fail }
		cc := w.dial(v1adapter.DialOptions(f)...)
		_, err := call(t.Context(), cc)
		if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "no such luck") {
			t.Errorf("RPC = %v, want UNAVAILABLE with Start's error", err)
		}
		if got := cc.GetState(); got != connectivity.TransientFailure {
			t.Errorf("state = %v, want TRANSIENT_FAILURE", got)
		}
		waiting := goCall(t.Context(), cc, grpc.WaitForReady(true))
		pending(t, waiting)
		f.take()
		fail = nil
		cc.Connect()
		if r := ended(t, waiting); r.server != "a" {
			t.Errorf("RPC that waited = %q, %v, want a", r.server, r.err)
		}
		if diff := cmp.Diff([]string{"start target", "notify", "up a"}, f.take()); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
	})
}

// Life cycle: a balancer from a function is not started twice: another one is.
func TestStartFailsOfAFactorysBalancer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a")
		bad, good := newFake(), newFake(addrs("a")...)
		bad.start = func(string, v1adapter.BalancerConfig) error { return errors.New("bad") }
		made := []v1adapter.Balancer{bad, good}
		r := manual.NewBuilderWithScheme("passthrough")
		r.InitialState(resolver.State{})
		cc := w.dial(append(v1adapter.DialOptionsFunc(func() v1adapter.Balancer {
			b := made[0]
			made = made[1:]
			return b
		}), grpc.WithResolvers(r))...)
		for len(made) > 0 { // Until grpc has asked, with Connect or now.
			if err := r.CC().UpdateState(resolver.State{}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		if s, err := call(t.Context(), cc); s != "a" {
			t.Errorf("RPC = %q, %v, want a", s, err)
		}
		if diff := cmp.Diff([]string{"start target", "close"}, bad.take()); diff != "" {
			t.Errorf("calls of the bad one (-want +got):\n%s", diff)
		}
	})
}

// Life cycle: what cannot be a balancer is an error, not a panic.
func TestNoBalancer(t *testing.T) {
	for want, opts := range map[string][]grpc.DialOption{
		"the Balancer is nil":     v1adapter.DialOptions(nil),
		"the function that makes": v1adapter.DialOptionsFunc(nil),
		"the Balancer is nil ":    {v1adapter.WithBalancer(nil)},
		"the  Balancer is nil":    v1adapter.DialOptionsFunc(func() v1adapter.Balancer { return nil }),
	} {
		t.Run(want, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, err := call(t.Context(), newWorld(t).dial(opts...))
				if want := strings.Join(strings.Fields(want), " "); status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), want) {
					t.Errorf("RPC = %v, want UNAVAILABLE with %q", err, want)
				}
			})
		})
	}
}

// Life cycle: neither dial nor Close hangs, whatever the balancer does.
func TestNothingHangs(t *testing.T) {
	tests := map[string]func(f *fake, forever chan struct{}){
		"Start": func(f *fake, forever chan struct{}) {
			f.start = func(string, v1adapter.BalancerConfig) error { <-forever; return nil }
		},
		"Up": func(f *fake, forever chan struct{}) { f.up = func(v1adapter.Address) { <-forever } },
		"Notify": func(f *fake, forever chan struct{}) {
			f.notify = func() <-chan []v1adapter.Address { <-forever; return nil }
		},
		"Close": func(f *fake, forever chan struct{}) { f.close = func() error { <-forever; return nil } },
		"Get": func(f *fake, forever chan struct{}) {
			f.get = func(context.Context, v1adapter.BalancerGetOptions) (v1adapter.Address, func(), error) {
				<-forever
				return v1adapter.Address{}, nil, nil
			}
		},
	}
	for name, block := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, f, forever := newWorld(t, "a"), newFake(addrs("a")...), make(chan struct{})
				block(f, forever)
				start := time.Now()
				cc := w.dial(v1adapter.DialOptions(f)...)
				for _, waits := range []bool{true, false} {
					go func() { _, _ = call(t.Context(), cc, grpc.WaitForReady(waits)) }()
				}
				time.Sleep(time.Second) // of the bubble
				if err := cc.Close(); err != nil {
					t.Error(err)
				}
				if took := time.Since(start); took > time.Second {
					t.Errorf("dial and Close took %v", took-time.Second)
				}
				time.Sleep(time.Second)
				if got, want := slices.Contains(f.take(), "close"), name != "Start" && name != "Up"; got != want {
					t.Errorf("was the balancer closed: %v, want %v", got, want)
				}
				close(forever)
				synctest.Wait()
				if name == "Start" || name == "Up" {
					if e := f.take(); !slices.Contains(e, "close") {
						t.Errorf("calls after %s has returned = %v, want close", name, e)
					}
				}
			})
		})
	}
}

// Life cycle: the channel's own resolver is ignored, its errors too.
func TestResolverIsIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, f := newWorld(t, "a", "b"), newFake(addrs("a")...)
		r := manual.NewBuilderWithScheme("passthrough")
		r.InitialState(resolver.State{Addresses: []resolver.Address{{Addr: "b"}}})
		cc := w.dial(append(v1adapter.DialOptions(f), grpc.WithResolvers(r))...)
		r.CC().ReportError(errors.New("resolver: gone"))
		_ = r.CC().UpdateState(resolver.State{})
		synctest.Wait()
		if s, err := call(t.Context(), cc); s != "a" || w.dialed("b") != 0 {
			t.Errorf("RPC = %q, %v, want a; b was dialed %d times", s, err, w.dialed("b"))
		}
		if diff := cmp.Diff([]string{"start target", "notify", "up a"}, f.take()); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
	})
}

// Life cycle: no Get begins after Close.
func TestNoGetAfterClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(addrs("a")...)
		o := onFake(t, f)
		synctest.Wait()
		p := o.State().Picker
		o.balancer.Close()
		synctest.Wait()
		pickAll(t, p)
		if gets, _ := f.counts(); gets != 0 {
			t.Errorf("Gets after Close = %d, want 0", gets)
		}
	})
}
