package parity_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/attributes"
	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/status"
)

// The F group, and of others what only a real channel shows: what grpc does for
// policies as long as they do their part.

// policies have in common what is tested here.
var policies = []string{pickFirst, roundRobin}

func TestA10StateWithAddressesOnly(t *testing.T) {
	for _, policy := range policies {
		onChannels(t, policy, func(c *channel) {
			c.dial([]string{"a:1"})
			c.resolver.InitialState(resolver.State{Addresses: multi("a:1").Addresses})
			c.wantCalls("a:1")
		})
	}
}

func TestC12ResolverIsAskedOnceForEachFailure(t *testing.T) {
	for policy, want := range map[string]int{
		pickFirst:  1, // the loss; it is IDLE then
		roundRobin: 2, // the loss, and the attempt to connect again
	} {
		onChannels(t, policy, func(c *channel) {
			c.dial([]string{"a:1"})
			c.up()
			c.takeAsked()
			c.stop("a:1")
			if got := c.takeAsked(); got != want {
				c.Errorf("ResolveNow calls after the loss = %d, want %d", got, want)
			}
			if policy != pickFirst {
				return
			}
			if _, err := c.call(); err == nil {
				c.Error("an RPC succeeded without a server")
			}
			if got := c.takeAsked(); got != 1 {
				c.Errorf("ResolveNow calls after a failed attempt = %d, want 1", got)
			}
		})
	}
}

func TestF2EmptyListAsksTheResolverAgain(t *testing.T) {
	for _, policy := range policies {
		onChannels(t, policy, func(c *channel) {
			c.dial([]string{"a:1"})
			c.up()
			if err := c.resolver.CC().UpdateState(resolver.State{}); !errors.Is(err, balancer.ErrBadResolverState) {
				c.Errorf("UpdateState(nothing) = %v, want ErrBadResolverState", err)
			}
			if _, err := c.call(); status.Code(err) != codes.Unavailable {
				c.Errorf("RPC = %v, want UNAVAILABLE", err)
			}
			c.wantState(failure)
		})
	}
}

// grpc takes a new policy into use once it is not CONNECTING any more.
func TestF3SwitchOfPoliciesFailsNoRPC(t *testing.T) {
	for policy, before := range map[string]string{pickFirst: roundRobin, roundRobin: pickFirst} {
		onChannels(t, policy, func(c *channel) {
			c.dial([]string{"a:1", "b:1"},
				grpc.WithDefaultServiceConfig(fmt.Sprintf(`{"loadBalancingConfig":[{%q:{}}]}`, before)))
			c.resolver.InitialState(resolver.State{Endpoints: singles("a:1")})
			c.up()
			c.slow = time.Second
			c.resolver.UpdateState(resolver.State{
				Endpoints: singles("b:1"), ServiceConfig: c.resolver.CC().ParseServiceConfig(c.config("")),
			})
			synctest.Wait()
			c.wantCalls("a:1", "a:1") // b:1 is not connected yet
			time.Sleep(2 * time.Second)
			c.wantCalls("b:1", "b:1")
		})
	}
}

func TestF7F9RPCsAreSentAndFinished(t *testing.T) {
	for _, policy := range policies {
		onChannels(t, policy, func(c *channel) {
			c.dial([]string{"a:1", "b:1"})
			c.up()
			if policy == pickFirst {
				c.wantCalls("a:1", "a:1", "a:1", "a:1")
			} else {
				c.wantCalls("a:1", "a:1", "b:1", "b:1")
			}
		})
	}
}

func TestF12IdleChannelStartsAnew(t *testing.T) {
	for _, policy := range policies {
		onChannels(t, policy, func(c *channel) {
			c.dial([]string{"a:1"}, grpc.WithIdleTimeout(time.Minute))
			for range 3 {
				c.wantCalls("a:1")
				time.Sleep(time.Hour)
				c.wantState(idle)
			}
		})
	}
}

func TestF13Connect(t *testing.T) {
	for _, policy := range policies {
		onChannels(t, policy, func(c *channel) {
			c.dial([]string{"a:1"})
			c.wantState(idle)
			c.up()
			c.stop("a:1")
			c.start("a:1")
			if policy == pickFirst {
				time.Sleep(time.Hour)
				c.wantState(idle)
			}
			c.up() // without an RPC
			c.wantCalls("a:1")
		})
	}
}

// Metadata of an address (F14) and its server name (F15) are in what a SubConn
// is created for.
func TestF14F15AddressReachesTheSubConnWhole(t *testing.T) {
	for _, policy := range policies {
		onBoth(t, policy, func(h *harness) {
			want := resolver.Address{
				Addr: "a:1", ServerName: "x", Attributes: attributes.New("k", "v"),
				BalancerAttributes: attributes.New("b", "w"), Metadata: "m",
			}
			h.resolve(resolver.Endpoint{Addresses: []resolver.Address{want, {Addr: "b:1"}}})
			if got := h.SubConns()[0].Addr; !got.Equal(want) {
				h.Errorf("SubConn for %v, want %v", got, want)
			}
		})
	}
}

// healthChecked adds client-side health checks of service "s" to a config.
const healthChecked = `,"healthCheckConfig":{"serviceName":"s"}`

func TestG6ClientSideHealthChecks(t *testing.T) {
	for _, policy := range policies {
		onChannels(t, policy, func(c *channel) {
			c.dial([]string{"a:1", "b:1"}, grpc.WithDefaultServiceConfig(c.config(healthChecked)))
			c.servers["a:1"].health.SetServingStatus("s", healthpb.HealthCheckResponse_NOT_SERVING)
			c.servers["b:1"].health.SetServingStatus("s", healthpb.HealthCheckResponse_SERVING)
			c.up()
			if policy == pickFirst {
				c.wantCalls("a:1", "a:1") // G1
				return
			}
			c.wantCalls("b:1", "b:1")
			c.servers["a:1"].health.SetServingStatus("s", healthpb.HealthCheckResponse_SERVING)
			synctest.Wait()
			c.wantCalls("a:1", "b:1")
			for _, s := range c.servers {
				s.health.SetServingStatus("s", healthpb.HealthCheckResponse_NOT_SERVING)
			}
			synctest.Wait()
			if _, err := c.call(); status.Code(err) != codes.Unavailable || !strings.Contains(fmt.Sprint(err), "health check failure") {
				c.Errorf("RPC = %v, want UNAVAILABLE for a health check failure", err)
			}
		})
	}
}
