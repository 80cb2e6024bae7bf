package e2e

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	_ "google.golang.org/grpc/balancer/leastrequest"
	_ "google.golang.org/grpc/balancer/ringhash"
	_ "google.golang.org/grpc/balancer/weightedroundrobin"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/grpclog"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	_ "google.golang.org/grpc/xds" // the only public package that registers outlier_detection_experimental

	_ "github.com/evenkeel-grpc/evenkeel/balancers/pickfirst"
)

// logs is grpc's logger. While on, it keeps what pick_first logs.
var logs = &logger{LoggerV2: grpclog.NewLoggerV2(io.Discard, io.Discard, os.Stderr)}

type logger struct {
	grpclog.LoggerV2 // for all but info

	on    atomic.Bool
	mu    sync.Mutex // guards the field below
	lines []string
}

func init() { grpclog.SetLoggerV2(logs) }

func (l *logger) V(level int) bool { return l.on.Load() && level <= 2 }

func (l *logger) Infoln(args ...any) {
	if !l.on.Load() {
		return
	}
	if line := fmt.Sprintln(args...); strings.HasPrefix(line, "[pick-first-leaf-lb]") {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.lines = append(l.lines, line)
	}
}

// count returns how many lines have been kept that begin like this.
func (l *logger) count(prefix string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, line := range l.lines {
		if strings.HasPrefix(line, prefix) {
			n++
		}
	}
	return n
}

// spreading has grpc-go's policies that spread RPCs over children, each the
// pick_first that is registered, and their configs.
var spreading = map[string]string{
	"least_request_experimental": `{"choiceCount":2}`,
	"ring_hash_experimental":     `{"minRingSize":128,"requestHashHeader":"key"}`,
	"weighted_round_robin":       `{}`,
}

// service is what the backends of these tests may or may not serve.
const service = "greeter"

// spread returns a channel over the backends whose policy is a piece of JSON.
func spread(t *testing.T, policy, more string, backends ...*backend) *grpc.ClientConn {
	t.Helper()
	var s resolver.State
	for _, b := range backends {
		s.Endpoints = append(s.Endpoints, resolver.Endpoint{Addresses: []resolver.Address{{Addr: b.addr}}})
	}
	r := manual.NewBuilderWithScheme("children")
	r.InitialState(s)
	cc, err := grpc.NewClient("children:///"+t.Name(), grpc.WithResolvers(r),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultServiceConfig(fmt.Sprintf(`{"loadBalancingConfig":[%s]%s}`, policy, more)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cc.Close() })
	return cc
}

// ask makes n RPCs, with a key each for policies that hash it, and returns how
// many each backend answered and how many failed.
func ask(t *testing.T, cc *grpc.ClientConn, n int) (answered map[string]int, failed int) {
	t.Helper()
	answered = map[string]int{}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for i := range n {
		var p peer.Peer
		keyed := metadata.AppendToOutgoingContext(ctx, "key", strconv.Itoa(i))
		_, err := healthpb.NewHealthClient(cc).Check(keyed, &healthpb.HealthCheckRequest{Service: service},
			grpc.Peer(&p), grpc.WaitForReady(true))
		if err != nil {
			failed++
			continue
		}
		answered[p.Addr.String()]++
	}
	return answered, failed
}

// waitForAnswers makes RPCs until they are answered by the given backends, by no
// other, and without a failure.
func waitForAnswers(t *testing.T, cc *grpc.ClientConn, want ...*backend) {
	t.Helper()
	var addrs []string
	for _, b := range want {
		addrs = append(addrs, b.addr)
	}
	slices.Sort(addrs)
	eventually(t, fmt.Sprintf("RPCs go to %q only", addrs), func() bool {
		answered, failed := ask(t, cc, 60)
		return failed == 0 && slices.Equal(slices.Sorted(maps.Keys(answered)), addrs)
	})
}

func TestHealthChecksUnderOtherPolicies(t *testing.T) {
	logs.on.Store(true)
	defer logs.on.Store(false)
	for policy, config := range spreading {
		t.Run(policy, func(t *testing.T) {
			a, b, c := startBackend(t), startBackend(t), startBackend(t)
			for _, each := range []*backend{a, b, c} {
				each.health.SetServingStatus(service, healthpb.HealthCheckResponse_SERVING)
			}
			cc := spread(t, fmt.Sprintf(`{%q:%s}`, policy, config),
				fmt.Sprintf(`,"healthCheckConfig":{"serviceName":%q}`, service), a, b, c)
			waitForAnswers(t, cc, a, b, c)
			b.health.SetServingStatus(service, healthpb.HealthCheckResponse_NOT_SERVING)
			waitForAnswers(t, cc, a, c)
			b.health.SetServingStatus(service, healthpb.HealthCheckResponse_SERVING)
			waitForAnswers(t, cc, a, b, c)
			if n := b.accepted.Load(); n != 1 {
				t.Errorf("connections to the backend that was unhealthy = %d, want it kept", n)
			}
			// grpc-go's pick_first writes its lines in another way.
			want := "[pick-first-leaf-lb] pick_first: " + cc.CanonicalTarget() + ": CONNECTING -> READY"
			if n := logs.count(want); n < 3 {
				t.Errorf("log lines %q = %d, want one for each child", want, n)
			}
		})
	}
}

// ejecting ejects a backend that fails more than half of five RPCs.
const ejecting = `{"outlier_detection_experimental":{"interval":"0.1s","baseEjectionTime":"300s","maxEjectionTime":"300s",
	"maxEjectionPercent":50,"failurePercentageEjection":{"threshold":50,"enforcementPercentage":100,"minimumHosts":2,"requestVolume":5},
	"childPolicy":[{%q:%s}]}}`

func TestOutlierDetection(t *testing.T) {
	policies := maps.Clone(spreading)
	policies["round_robin"] = `{}`
	for policy, config := range policies {
		t.Run(policy, func(t *testing.T) {
			good, bad := startBackend(t), startBackend(t)
			// To the other one the service is unknown: its RPCs fail.
			good.health.SetServingStatus(service, healthpb.HealthCheckResponse_SERVING)
			cc := spread(t, fmt.Sprintf(ejecting, policy, config), "", good, bad)
			eventually(t, "RPCs fail at the bad backend", func() bool {
				_, failed := ask(t, cc, 20)
				return failed > 0
			})
			waitForAnswers(t, cc, good)
			if n := bad.accepted.Load(); n != 1 {
				t.Errorf("connections to the backend that was ejected = %d, want it kept", n)
			}
		})
	}
}
