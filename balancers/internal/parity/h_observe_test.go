package parity_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc"
	"google.golang.org/grpc/balancer"
	channelzpb "google.golang.org/grpc/channelz/grpc_channelz_v1"
	channelz "google.golang.org/grpc/channelz/service"
	estats "google.golang.org/grpc/experimental/stats"
	"google.golang.org/grpc/grpclog"
	"google.golang.org/grpc/stats"

	"github.com/evenkeel-grpc/evenkeel/registry"
)

// The H group: metrics, channelz, logs.

// recorder is a stats handler that keeps the names of the metrics it is given.
type recorder struct {
	estats.UnimplementedMetricsRecorder

	mu    sync.Mutex // guards the field below
	names map[string]int64
}

func (r *recorder) add(name string, n int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.names[name] += n
}

func (r *recorder) RecordInt64Count(h *estats.Int64CountHandle, n int64, _ ...string) {
	r.add(h.Descriptor().Name, n)
}

func (r *recorder) RecordInt64UpDownCount(h *estats.Int64UpDownCountHandle, n int64, _ ...string) {
	r.add(h.Descriptor().Name, n)
}

func (*recorder) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context   { return ctx }
func (*recorder) HandleRPC(context.Context, stats.RPCStats)                         {}
func (*recorder) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (*recorder) HandleConn(context.Context, stats.ConnStats)                       {}

// gRFC A94's metrics are the channel's. pick_first's of A78 are gone.
func TestH1MetricsAreTheChannels(t *testing.T) {
	for _, policy := range policies {
		onChannels(t, policy, func(c *channel) {
			r := &recorder{names: map[string]int64{}}
			c.dial([]string{"a:1"}, grpc.WithStatsHandler(r))
			c.up()
			c.stop("a:1")
			c.Connect()
			synctest.Wait()
			want := map[string]int64{
				"grpc.subchannel.connection_attempts_succeeded": 1,
				"grpc.subchannel.connection_attempts_failed":    1,
				"grpc.subchannel.disconnections":                1,
				"grpc.subchannel.open_connections":              0,
			}
			if !maps.Equal(r.names, want) {
				c.Errorf("metrics = %v, want %v", r.names, want)
			}
		})
	}
}

// inspector catches channelz's service, which is for a server otherwise.
type inspector struct{ channelzpb.ChannelzServer }

func (i *inspector) RegisterService(_ *grpc.ServiceDesc, impl any) {
	i.ChannelzServer, _ = impl.(channelzpb.ChannelzServer)
}

// find returns the channel of a target.
func (i *inspector) find(c *channel, target string) *channelzpb.Channel {
	c.Helper()
	res, err := i.GetTopChannels(c.Context(), &channelzpb.GetTopChannelsRequest{})
	if err != nil {
		c.Fatal(err)
	}
	for _, ch := range res.GetChannel() {
		if ch.GetData().GetTarget() == target {
			return ch
		}
	}
	c.Fatalf("channelz does not know %q", target)
	return nil
}

func TestH3Channelz(t *testing.T) {
	for policy, wantCalls := range map[string][]int64{pickFirst: {6}, roundRobin: {3, 3}} {
		onChannels(t, policy, func(c *channel) {
			var z inspector
			channelz.RegisterChannelzServiceToServer(&z)
			c.dial([]string{"a:1", "b:1"})
			c.up()
			for range 6 {
				if _, err := c.call(); err != nil {
					c.Fatal(err)
				}
			}
			ch := z.find(c, c.Target())
			var calls []int64
			for _, ref := range ch.GetSubchannelRef() {
				sub, err := z.GetSubchannel(c.Context(), &channelzpb.GetSubchannelRequest{SubchannelId: ref.GetSubchannelId()})
				if err != nil {
					c.Fatal(err)
				}
				data := sub.GetSubchannel().GetData()
				calls = append(calls, data.GetCallsStarted())
				if got := data.GetState().GetState(); got != channelzpb.ChannelConnectivityState_READY {
					c.Errorf("subchannel is %v, want READY", got)
				}
			}
			if !slices.Equal(calls, wantCalls) {
				c.Errorf("RPCs of the subchannels = %v, want %v", calls, wantCalls)
			}
			if !slices.ContainsFunc(ch.GetData().GetTrace().GetEvents(), func(e *channelzpb.ChannelTraceEvent) bool {
				return e.GetDescription() == fmt.Sprintf("Channel switches to new LB policy %q", c.policy)
			}) {
				c.Errorf("the channel's trace lacks the switch to %s: %v", c.policy, ch.GetData().GetTrace())
			}
		})
	}
}

// logs is grpc's logger: it keeps the lines of a test that listens.
var logs = &logger{LoggerV2: grpclog.NewLoggerV2(io.Discard, io.Discard, io.Discard)}

type logger struct {
	grpclog.LoggerV2 // for all but info

	on    atomic.Bool
	mu    sync.Mutex // guards the field below
	lines []string
}

func TestMain(m *testing.M) {
	grpclog.SetLoggerV2(logs)
	os.Exit(m.Run())
}

func (l *logger) V(level int) bool { return l.on.Load() && level <= 2 }

func (l *logger) Infoln(args ...any) {
	if !l.on.Load() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, fmt.Sprintln(args...))
}

// during returns what f makes policies log.
func (l *logger) during(f func()) string {
	l.on.Store(true)
	defer l.on.Store(false)
	f()
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := l.lines
	l.lines = nil
	return strings.Join(lines, "")
}

func TestH5LogComponents(t *testing.T) {
	for policy, component := range map[string]string{pickFirst: "[pick-first-leaf-lb]", roundRobin: "[roundrobin]"} {
		theirs, ok := registry.Default.ReplacedBalancer(policy)
		if !ok {
			t.Fatalf("grpc-go's own %s was not there to be replaced", policy)
		}
		for side, b := range map[string]balancer.Builder{"grpc-go": theirs, "evenkeel": balancer.Get(policy)} {
			synctest.Test(t, func(t *testing.T) {
				text := logs.during(func() {
					h := newHarness(t, b, b == theirs)
					h.resolve(singles("a:1")...)
					h.set(failure, "a:1")
					h.close()
				})
				if !strings.Contains(text, component) {
					t.Errorf("%s's %s: no line of component %s among\n%s", side, policy, component, text)
				}
			})
		}
	}
}
