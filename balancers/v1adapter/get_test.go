package v1adapter_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/status"

	"github.com/evenkeel-grpc/evenkeel"
	"github.com/evenkeel-grpc/evenkeel/balancers/v1adapter"
	"github.com/evenkeel-grpc/evenkeel/registry"
)

type (
	getFunc = func(context.Context, v1adapter.BalancerGetOptions) (v1adapter.Address, func(), error)
	ctxKey  struct{}
)

// registered is the balancer that the policy test_registered gives out next.
var registered v1adapter.Balancer

func init() {
	registry.Default.MustRegisterBalancer(v1adapter.NewBuilder("test_registered", func() v1adapter.Balancer { return registered }))
}

const selectsRegistered = `{"loadBalancingConfig":[{"test_registered":{}}],"methodConfig":[{"name":[{"service":"grpc.health.v1.Health","method":"Watch"}],"waitForReady":true}]}`

// Get: BlockingWait is true for exactly the wait-for-ready RPCs, whether the call
// or the service config says so; without the stats handler it is false.
func TestBlockingWait(t *testing.T) {
	exact := []bool{false, true, false}
	tests := []struct {
		name string
		dial func(w *world, f *fake) (*grpc.ClientConn, error)
		want []bool
	}{
		{"DialOptions", func(w *world, f *fake) (*grpc.ClientConn, error) {
			return grpc.NewClient("passthrough:///x", append(w.options(), v1adapter.DialOptions(f)...)...)
		}, exact},
		{"DialOptionsFunc", func(w *world, f *fake) (*grpc.ClientConn, error) {
			return grpc.NewClient("passthrough:///x", append(w.options(), v1adapter.DialOptionsFunc(func() v1adapter.Balancer { return f })...)...)
		}, exact},
		{"WithBalancer", func(w *world, f *fake) (*grpc.ClientConn, error) {
			return grpc.NewClient("passthrough:///x", append(w.options(), v1adapter.WithBalancer(f))...)
		}, []bool{false, false, false}},
		{"WithBalancer and evenkeel.NewClient", func(w *world, f *fake) (*grpc.ClientConn, error) {
			return evenkeel.NewClient("passthrough:///x", append(w.options(), v1adapter.WithBalancer(f))...)
		}, exact},
		{"DialOptions and evenkeel.NewClient", func(w *world, f *fake) (*grpc.ClientConn, error) {
			return evenkeel.NewClient("passthrough:///x", append(w.options(), v1adapter.DialOptions(f)...)...)
		}, exact},
		{"a registered policy", func(w *world, f *fake) (*grpc.ClientConn, error) {
			registered = f
			return grpc.NewClient("passthrough:///x", append(w.options(), grpc.WithDefaultServiceConfig(selectsRegistered))...)
		}, []bool{false, false, false, false}},
		{"a registered policy and evenkeel.NewClient", func(w *world, f *fake) (*grpc.ClientConn, error) {
			registered = f
			return evenkeel.NewClient("passthrough:///x", append(w.options(), evenkeel.WithServiceConfig(selectsRegistered))...)
		}, []bool{false, true, false, true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, f := newWorld(t, "a"), newFake(addrs("a")...)
				cc, err := tt.dial(w, f)
				if err != nil {
					t.Fatal(err)
				}
				w.connect(cc)
				for _, o := range [][]grpc.CallOption{nil, {grpc.WaitForReady(true)}, {grpc.WaitForReady(false)}} {
					if s, err := call(t.Context(), cc, o...); s != "a" {
						t.Errorf("RPC = %q, %v, want a", s, err)
					}
				}
				if len(tt.want) > 3 { // The service config has a wait-for-ready method.
					stream, err := healthpb.NewHealthClient(cc).Watch(t.Context(), &healthpb.HealthCheckRequest{})
					if err == nil {
						_, err = stream.Recv()
					}
					if err != nil {
						t.Error(err)
					}
				}
				if got := f.blockingWaits(); !slices.Equal(got, tt.want) {
					t.Errorf("BlockingWait = %v, want %v", got, tt.want)
				}
			})
		})
	}
}

// Get: it has the RPC's context.
func TestGetHasTheContextOfTheRPC(t *testing.T) {
	for _, waits := range []bool{false, true} {
		t.Run(fmt.Sprint("wait-for-ready ", waits), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, f := newWorld(t, "a"), newFake(addrs("a")...)
				var got any
				f.get = func(ctx context.Context, o v1adapter.BalancerGetOptions) (v1adapter.Address, func(), error) {
					got = ctx.Value(ctxKey{})
					return v1adapter.Address{Addr: "a"}, nil, nil
				}
				cc := w.dial(v1adapter.DialOptions(f)...)
				if _, err := call(context.WithValue(t.Context(), ctxKey{}, "mine"), cc, grpc.WaitForReady(waits)); err != nil {
					t.Error(err)
				}
				if got != "mine" {
					t.Errorf("value in Get's context = %v, want mine", got)
				}
			})
		})
	}
}

// Get: the address that it returns is the one used.
func TestGetChooses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, f := newWorld(t, "a", "b", "c"), newFake(addrs("a", "b", "c")...)
		cc := w.dial(v1adapter.DialOptions(f)...)
		for _, name := range []string{"b", "b", "a", "c", "b"} {
			f.get = always(v1adapter.Address{Addr: name})
			for _, waits := range []bool{false, true} {
				if s, err := call(t.Context(), cc, grpc.WaitForReady(waits)); s != name {
					t.Errorf("RPC = %q, %v, want %s", s, err, name)
				}
			}
		}
	})
}

// Get: what its error makes of an RPC. The known RPCs are those of DialOptions.
func TestErrorsOfGet(t *testing.T) {
	tests := []struct {
		name string
		err  error
		code codes.Code
		text string
	}{
		{"a plain error", errors.New("out of luck"), codes.Unavailable, "out of luck"},
		{"an UNAVAILABLE status", status.Error(codes.Unavailable, "there is no address available"), codes.Unavailable, "there is no address available"},
		{"another status", status.Error(codes.ResourceExhausted, "too many"), codes.ResourceExhausted, "too many"},
		{"a status that grpc refuses (A54)", status.Error(codes.NotFound, "who"), codes.Internal, "who"},
		{"the end of a context", context.DeadlineExceeded, codes.DeadlineExceeded, "context deadline exceeded"},
		{"a cancelled context", context.Canceled, codes.Canceled, "context canceled"},
		{"the sentinel", v1adapter.ErrClientConnClosing, codes.Canceled, "grpc: the client connection is closing"},
	}
	for _, tt := range tests {
		for _, waits := range []bool{false, true} {
			t.Run(fmt.Sprint(tt.name, ", wait-for-ready ", waits), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w, f := newWorld(t), newFake()
					f.get = func(context.Context, v1adapter.BalancerGetOptions) (v1adapter.Address, func(), error) {
						return v1adapter.Address{}, f.put, tt.err
					}
					_, err := call(t.Context(), w.dial(v1adapter.DialOptions(f)...), grpc.WaitForReady(waits))
					if st := status.Convert(err); st.Code() != tt.code || !strings.Contains(st.Message(), tt.text) {
						t.Errorf("RPC = %v, want %v with %q", err, tt.code, tt.text)
					}
					if gets, puts := f.counts(); gets != 1 || puts != 1 {
						t.Errorf("Gets = %d, puts = %d, want 1 and 1", gets, puts)
					}
				})
			})
		}
	}
}

// Get: on a channel that does not know which RPCs are wait-for-ready, those
// still wait where Get has nothing, and go on with the next change.
func TestWaitForReadyWithoutTheStatsHandler(t *testing.T) {
	for _, err := range []error{errors.New("none"), status.Error(codes.Unavailable, "none")} {
		t.Run(err.Error(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, f := newWorld(t, "a"), newFake()
				f.get = fails(err)
				cc := w.dial(v1adapter.WithBalancer(f))
				if _, err := call(t.Context(), cc); status.Code(err) != codes.Unavailable || status.Convert(err).Message() != "none" {
					t.Errorf("fail-fast RPC = %v, want UNAVAILABLE with Get's error", err)
				}
				waiting := goCall(t.Context(), cc, grpc.WaitForReady(true))
				pending(t, waiting)
				f.get = always(v1adapter.Address{Addr: "a"})
				f.send(addrs("a")...)
				if r := ended(t, waiting); r.server != "a" {
					t.Errorf("RPC = %q, %v, want a", r.server, r.err)
				}
			})
		})
	}
}

// Get: an address that is still connecting is waited for; once it has failed,
// fail-fast RPCs fail as UNAVAILABLE and wait-for-ready RPCs wait.
func TestAddressThatIsNotConnected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, f := newWorld(t), newFake(addrs("a")...)
		gate := make(chan struct{})
		f.get = func(context.Context, v1adapter.BalancerGetOptions) (v1adapter.Address, func(), error) {
			return v1adapter.Address{Addr: "a"}, f.put, nil
		}
		dialer := grpc.WithContextDialer(func(ctx context.Context, addr string) (net.Conn, error) {
			<-gate
			return w.dialContext(ctx, addr)
		})
		cc := w.dial(append(v1adapter.DialOptions(f), dialer)...)
		wantState(t, cc, connectivity.Connecting)
		failFast, waiting := goCall(t.Context(), cc), goCall(t.Context(), cc, grpc.WaitForReady(true))
		pending(t, failFast)
		pending(t, waiting)
		close(gate)
		if r := ended(t, failFast); status.Code(r.err) != codes.Unavailable {
			t.Errorf("fail-fast RPC = %v, want UNAVAILABLE", r.err)
		}
		pending(t, waiting)
		w.start("a")
		time.Sleep(2 * time.Second)
		if r := ended(t, waiting); r.server != "a" {
			t.Errorf("wait-for-ready RPC = %q, %v, want a", r.server, r.err)
		}
		if gets, puts := f.counts(); gets != puts || gets < 5 {
			t.Errorf("Gets = %d, puts = %d, want as many, and more than RPCs", gets, puts)
		}
	})
}

// Get: an address that Notify has not listed is neither a hang nor a busy loop.
func TestUnknownAddress(t *testing.T) {
	t.Run("that never comes", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w, f := newWorld(t, "a"), newFake(addrs("a")...)
			f.get = always(v1adapter.Address{Addr: "b", Metadata: "m"})
			cc := w.dial(v1adapter.DialOptions(f)...)
			start := time.Now()
			_, err := call(t.Context(), cc)
			if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), `address "b" (Metadata m), which is not among the 1 of the last Notify`) {
				t.Errorf("RPC = %v, want UNAVAILABLE with the address", err)
			}
			if took := time.Since(start); took > 2*time.Second {
				t.Errorf("the RPC took %v, want about a second", took)
			}
			if gets, _ := f.counts(); gets > 100 {
				t.Errorf("Gets = %d, want some 50", gets)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if _, err := call(ctx, cc, grpc.WaitForReady(true)); status.Code(err) != codes.DeadlineExceeded {
				t.Errorf("wait-for-ready RPC = %v, want DEADLINE_EXCEEDED", err)
			}
		})
	})
	t.Run("that is on its way", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w, f := newWorld(t, "a", "b"), newFake(addrs("a")...)
			cc := w.dial(v1adapter.DialOptions(f)...)
			f.get = always(v1adapter.Address{Addr: "b"})
			failFast, waiting := goCall(t.Context(), cc), goCall(t.Context(), cc, grpc.WaitForReady(true))
			pending(t, failFast)
			f.send(addrs("a", "b")...)
			for _, r := range []reply{ended(t, failFast), ended(t, waiting)} {
				if r.server != "b" {
					t.Errorf("RPC = %q, %v, want b", r.server, r.err)
				}
			}
		})
	})
}

// Get: one that blocks for 10 s, wait-for-ready or not, delays no RPC other than
// its own.
func TestBlockingGetDelaysOnlyItsRPC(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, f := newWorld(t, "a"), newFake(addrs("a")...)
		f.get = func(ctx context.Context, _ v1adapter.BalancerGetOptions) (v1adapter.Address, func(), error) {
			if ctx.Value(ctxKey{}) != nil {
				time.Sleep(10 * time.Second)
			}
			return v1adapter.Address{Addr: "a"}, nil, nil
		}
		cc := w.dial(v1adapter.DialOptions(f)...)
		slow := context.WithValue(t.Context(), ctxKey{}, "slow")
		start := time.Now()
		var blocked []<-chan reply
		for i := range 20 {
			blocked = append(blocked, goCall(slow, cc, grpc.WaitForReady(i%2 == 0)))
		}
		time.Sleep(time.Second)
		for i := range 100 {
			if s, err := call(t.Context(), cc, grpc.WaitForReady(i%2 == 0)); s != "a" {
				t.Fatalf("RPC = %q, %v, want a", s, err)
			}
		}
		w.stop("a") // State changes go on as well.
		wantState(t, cc, connectivity.TransientFailure)
		w.start("a")
		time.Sleep(3 * time.Second)
		wantState(t, cc, connectivity.Ready)
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("the other RPCs took %v", took)
		}
		time.Sleep(10 * time.Second)
		for _, b := range blocked {
			if r := ended(t, b); r.server != "a" {
				t.Errorf("blocked RPC = %q, %v, want a", r.server, r.err)
			}
		}
	})
}

// Get: put is called once at the end of the RPC, not before.
func TestPutAtTheEndOfTheRPC(t *testing.T) {
	for _, waits := range []bool{false, true} {
		t.Run(fmt.Sprint("wait-for-ready ", waits), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, f := newWorld(t, "a"), newFake(addrs("a")...)
				f.get = func(context.Context, v1adapter.BalancerGetOptions) (v1adapter.Address, func(), error) {
					return v1adapter.Address{Addr: "a"}, f.put, nil
				}
				cc := w.dial(v1adapter.DialOptions(f)...)
				stream, err := healthpb.NewHealthClient(cc).Watch(t.Context(), &healthpb.HealthCheckRequest{}, grpc.WaitForReady(waits))
				if err == nil {
					_, err = stream.Recv()
				}
				if err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if _, puts := f.counts(); puts != 0 {
					t.Errorf("puts during the RPC = %d, want 0", puts)
				}
				close(w.servers["a"].release)
				_, _ = stream.Recv()
				synctest.Wait()
				if gets, puts := f.counts(); gets != 1 || puts != 1 {
					t.Errorf("Gets = %d, puts = %d, want 1 and 1", gets, puts)
				}
			})
		})
	}
}

// blocks returns a get that waits for release, and not for the context.
func (f *fake) blocks(release <-chan struct{}) getFunc {
	return func(context.Context, v1adapter.BalancerGetOptions) (v1adapter.Address, func(), error) {
		<-release
		return v1adapter.Address{Addr: "a"}, f.put, nil
	}
}

// Get: put is called once although the RPC has ended before Get has.
func TestPutAfterTheEndOfTheRPC(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, f := newWorld(t, "a"), newFake(addrs("a")...)
		release := make(chan struct{})
		f.get = f.blocks(release)
		cc := w.dial(v1adapter.DialOptions(f)...)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if _, err := call(ctx, cc, grpc.WaitForReady(true)); status.Code(err) != codes.DeadlineExceeded {
			t.Errorf("RPC = %v, want DEADLINE_EXCEEDED", err)
		}
		if took := time.Since(start); took != time.Second {
			t.Errorf("the RPC took %v, want its timeout of 1s", took)
		}
		close(release)
		synctest.Wait()
		if gets, puts := f.counts(); gets != 1 || puts != 1 {
			t.Errorf("Gets = %d, puts = %d, want 1 and 1", gets, puts)
		}
	})
}

// Get: waiting RPCs pick again at each change, but each has one Get at a time.
func TestOneGetForEachWaitingRPC(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, f := newWorld(t, "a", "b"), newFake(addrs("a")...)
		release := make(chan struct{})
		f.get = f.blocks(release)
		cc := w.dial(v1adapter.DialOptions(f)...)
		const n = 100
		var waiting []<-chan reply
		for range n {
			waiting = append(waiting, goCall(t.Context(), cc, grpc.WaitForReady(true)))
		}
		for range 10 {
			f.send(addrs("a", "b")...)
			f.send(addrs("a")...)
		}
		if gets, _ := f.counts(); gets != n {
			t.Errorf("Gets = %d, want %d", gets, n)
		}
		close(release)
		time.Sleep(time.Second)
		for _, c := range waiting {
			if r := ended(t, c); r.server != "a" {
				t.Errorf("RPC = %q, %v, want a", r.server, r.err)
			}
		}
		if gets, puts := f.counts(); gets != n || puts != n {
			t.Errorf("Gets = %d, puts = %d, want %d each", gets, puts, n)
		}
	})
}

// Get: Close of the channel ends RPCs whose Get is under way.
func TestCloseDuringGet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, f := newWorld(t, "a"), newFake(addrs("a")...)
		f.get = func(ctx context.Context, _ v1adapter.BalancerGetOptions) (v1adapter.Address, func(), error) {
			<-ctx.Done()
			return v1adapter.Address{}, f.put, ctx.Err()
		}
		cc := w.dial(v1adapter.DialOptions(f)...)
		waiting := goCall(t.Context(), cc, grpc.WaitForReady(true))
		time.Sleep(time.Second) // Longer than Pick waits for Get.
		pending(t, waiting)
		_ = cc.Close()
		if r := ended(t, waiting); status.Code(r.err) != codes.Canceled {
			t.Errorf("RPC = %v, want CANCELLED", r.err)
		}
		time.Sleep(time.Second)
		if gets, puts := f.counts(); gets != 1 || puts != 1 {
			t.Errorf("Gets = %d, puts = %d, want 1 and 1", gets, puts)
		}
	})
}

// Get: an RPC whose Get is under way goes on with the policy that takes over.
func TestAnotherPolicyTakesOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, f := newWorld(t, "b"), newFake()
		release := make(chan struct{})
		f.get = f.blocks(release)
		registered = f
		r := manual.NewBuilderWithScheme("manual")
		r.InitialState(resolver.State{})
		cc, err := evenkeel.NewClient("manual:///x", append(w.options(), grpc.WithResolvers(r), grpc.WithDefaultServiceConfig(selectsRegistered))...)
		if err != nil {
			t.Fatal(err)
		}
		w.connect(cc)
		waiting := goCall(t.Context(), cc, grpc.WaitForReady(true))
		time.Sleep(time.Second)
		pending(t, waiting)
		next := resolver.State{
			Endpoints:     []resolver.Endpoint{{Addresses: []resolver.Address{{Addr: "b"}}}},
			ServiceConfig: r.CC().ParseServiceConfig(`{"loadBalancingConfig":[{"pick_first":{}}]}`),
		}
		if err := r.CC().UpdateState(next); err != nil {
			t.Fatal(err)
		}
		if r := ended(t, waiting); r.server != "b" {
			t.Errorf("RPC = %q, %v, want b", r.server, r.err)
		}
		time.Sleep(time.Second)
		f.wantEvents(t, "start x", "notify", "close")
		close(release)
		synctest.Wait()
		if gets, puts := f.counts(); gets != 1 || puts != 1 {
			t.Errorf("Gets = %d, puts = %d, want 1 and 1", gets, puts)
		}
	})
}
