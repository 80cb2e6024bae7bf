package e2e

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
)

func TestConsulDownAtStart(t *testing.T) {
	s := newConsul(t)
	mustFailWith(t, s.target("x"), `consul: "x": asking Consul: dial tcp `+s.http+": connect: connection refused")
	a := startBackend(t)
	cc := dial(t, s.target("x"))
	_, _ = call(rpcDeadline(t), cc)
	s.start(t)
	s.register(t, "x", a)
	waitForBackends(t, cc, a)
}

// mustConverge registers a backend more, and fails if the channel does not follow
// or an RPC has failed. It logs how long that took since the fault was over.
func mustConverge(t *testing.T, s *consulAgent, cc *grpc.ClientConn, load *callers, healed time.Time, before ...*backend) {
	t.Helper()
	b := startBackend(t)
	s.register(t, "x", b)
	eventually(t, "an RPC on the new backend", func() bool { return !load.lastOn(b.addr).IsZero() })
	took := load.lastOn(b.addr).Sub(healed)
	t.Logf("discovery has converged %v after the heal", took)
	if *full && took > 2*time.Second {
		t.Errorf("discovery took %v to converge, want at most 2 s", took)
	}
	load.mustNotHaveFailed(t)
	waitForBackends(t, cc, append(before, b)...)
}

func TestConsulAgentKilledAndRestarted(t *testing.T) {
	s := newAgent(t, "-server", "performance { raft_multiplier = 1 }")
	s.args = append(s.args, "-bootstrap-expect=1", "-data-dir="+s.dir)
	s.start(t)
	a := startBackend(t)
	s.register(t, "x", a)
	cc := dial(t, s.target("x"))
	waitForBackends(t, cc, a)
	load := startCallers(t, cc)
	s.kill()
	time.Sleep(length(time.Second, 30*time.Second))
	s.start(t)
	mustConverge(t, s, cc, load, time.Now(), a)
	if got := a.accepted.Load(); got != 1 {
		t.Errorf("connections to a backend that was always there = %d, want 1", got)
	}
}

func TestConsulLeaderKilled(t *testing.T) {
	for _, mode := range []string{"default", "stale", "consistent"} {
		t.Run(mode, func(t *testing.T) {
			agents := startCluster(t)
			l := leader(t, agents)
			follower := agents[(l+1)%3]
			a := startBackend(t)
			follower.register(t, "x", a)
			cc := dial(t, follower.target("x", strings.TrimPrefix(mode, "default")))
			waitForBackends(t, cc, a)
			load := startCallers(t, cc)
			agents[l].kill()
			time.Sleep(length(time.Second, 10*time.Second))
			follower.waitReady(t) // there is another leader
			mustConverge(t, follower, cc, load, time.Now(), a)
		})
	}
}

func TestConsulPartition(t *testing.T) {
	for name, cut := range map[string]func(*proxies, testing.TB){
		"black hole": (*proxies).blackHole,
		"half open":  (*proxies).halfOpen,
		"reset":      (*proxies).reset,
	} {
		t.Run(name, func(t *testing.T) {
			s := startConsul(t)
			p := startProxies(t, s.http)
			a := startBackend(t)
			s.register(t, "x", a)
			cc := dial(t, "consul://"+p.hosts()+"/x")
			waitForBackends(t, cc, a)
			load := startCallers(t, cc)
			cut(p, t)
			b := startBackend(t)
			s.register(t, "x", b) // which nobody can hear
			time.Sleep(length(3*time.Second, 30*time.Second))
			p.heal(t)
			mustConverge(t, s, cc, load, time.Now(), a, b)
		})
	}
}

// A server that has forgotten everything has no backends either: the last good
// list is what there is.
func TestConsulThatForgetsKeepsTheList(t *testing.T) {
	s := startConsul(t)
	a := startBackend(t)
	s.register(t, "x", a)
	cc := dial(t, s.target("x"))
	waitForBackends(t, cc, a)
	load := startCallers(t, cc)
	s.kill()
	s.start(t)
	b := startBackend(t)
	time.Sleep(time.Second)
	s.register(t, "x", b)
	eventually(t, "an RPC on the new backend", func() bool { return !load.lastOn(b.addr).IsZero() })
	load.mustNotHaveFailed(t)
	waitForBackends(t, cc, b)
}

// Answers that take longer than the first attempt allows are waited for in the
// end.
func TestConsulOverASlowLine(t *testing.T) {
	s := startConsul(t)
	p := startProxies(t, s.http)
	p.latency(t, 700)
	a := startBackend(t)
	s.register(t, "x", a)
	waitForBackends(t, dial(t, "consul://"+p.hosts()+"/x"), a)
}
