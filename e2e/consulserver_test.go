package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/evenkeel-grpc/evenkeel/internal/held"
)

// consulBinary is the real Consul: what EVENKEEL_CONSUL names, else what make
// has built, else what is built here from the module in the directory consul.
// That takes minutes once.
var consulBinary = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("EVENKEEL_CONSUL"); path != "" {
		return path, nil
	}
	path, err := filepath.Abs("../.bin/consul")
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	cmd := exec.Command("go", "build", "-o", path, "github.com/hashicorp/consul")
	cmd.Dir = "consul"
	cmd.Env = append(os.Environ(), "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%v: %w\n%s", cmd, err, out)
	}
	return path, nil
})

// consulAgent is a Consul that can be killed and started again.
type consulAgent struct {
	http  string // host:port
	https string // host:port; nobody listens there unless the configuration says so
	serf  string // host:port
	wan   string // host:port, also for Serf
	dir   string
	args  []string
	cmd   *exec.Cmd
	logs  *bytes.Buffer
}

// newConsul returns a single development server, all in memory, that has not
// been started.
func newConsul(tb testing.TB, hcl ...string) *consulAgent {
	tb.Helper()
	return newAgent(tb, "-dev", strings.Join(hcl, "\n"))
}

func startConsul(tb testing.TB, hcl ...string) *consulAgent {
	tb.Helper()
	a := newConsul(tb, hcl...)
	a.start(tb)
	return a
}

// newAgent returns an agent with ports of its own. The mode is its first
// argument.
func newAgent(tb testing.TB, mode, hcl string) *consulAgent {
	tb.Helper()
	a := &consulAgent{http: held.Addr(tb), https: held.Addr(tb), serf: held.TCP(tb), wan: held.TCP(tb), dir: tb.TempDir()}
	a.args = []string{
		"agent", mode, "-bind=127.0.0.1", "-client=127.0.0.1", "-log-level=warn", "-node=node-" + port(a.http),
		"-http-port=" + port(a.http), "-serf-lan-port=" + port(a.serf), "-serf-wan-port=" + port(a.wan),
		"-server-port=" + port(held.Addr(tb)), "-dns-port=-1", "-grpc-port=-1", "-grpc-tls-port=-1",
		"-hcl=disable_update_check = true",
		// Changes of checks reach the servers at once, and health checks may be fast.
		"-hcl=check_update_interval = \"0s\"",
	}
	if hcl != "" {
		a.args = append(a.args, "-hcl="+hcl)
	}
	tb.Cleanup(a.kill)
	return a
}

func port(addr string) string {
	_, p, _ := net.SplitHostPort(addr)
	return p
}

// start runs the agent and waits until it has a leader.
func (a *consulAgent) start(tb testing.TB) {
	tb.Helper()
	a.run(tb)
	a.waitReady(tb)
}

func (a *consulAgent) run(tb testing.TB) {
	tb.Helper()
	binary, err := consulBinary()
	if err != nil {
		tb.Fatal(err)
	}
	a.logs = new(bytes.Buffer)
	a.cmd = exec.Command(binary, a.args...) //nolint:noctx // kill ends it
	a.cmd.Stdout, a.cmd.Stderr = a.logs, a.logs
	dieWithParent(a.cmd)
	if err := a.cmd.Start(); err != nil {
		tb.Fatal(err)
	}
}

func (a *consulAgent) waitReady(tb testing.TB) {
	tb.Helper()
	for began := time.Now(); time.Since(began) < 30*time.Second; time.Sleep(10 * time.Millisecond) {
		if a.ready(tb) {
			return
		}
	}
	a.kill()
	tb.Fatalf("Consul is not ready after 30 s:\n%s", a.logs)
}

// ready tells whether the agent can read from the leader, and has registered its
// own node.
func (a *consulAgent) ready(tb testing.TB) bool {
	tb.Helper()
	c := a.client(tb)
	leader, err := c.Status().Leader()
	if err != nil || leader == "" {
		return false
	}
	nodes, _, err := c.Catalog().Nodes(&api.QueryOptions{Token: rootToken})
	return err == nil && len(nodes) > 0
}

// kill ends the agent without a good-bye.
func (a *consulAgent) kill() {
	if a.cmd == nil {
		return
	}
	_ = a.cmd.Process.Kill()
	_ = a.cmd.Wait()
	a.cmd = nil
}

// client returns a client without keep-alive, which leaves nothing behind.
func (a *consulAgent) client(tb testing.TB) *api.Client {
	tb.Helper()
	cfg := &api.Config{Address: a.http, Token: rootToken, HttpClient: &http.Client{
		Transport: &http.Transport{DisableKeepAlives: true},
		Timeout:   10 * time.Second,
	}}
	c, err := api.NewClient(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// rootToken can do anything where ACLs are on; elsewhere it means nothing.
const rootToken = "0b165ec3-e700-4000-8000-000000000001"

// acls turns access control on.
const acls = `acl { enabled = true, default_policy = "deny", tokens { initial_management = "` + rootToken + `", agent = "` + rootToken + `" } }`

// newToken makes a token with the given rules. The accessor is its public name.
func (a *consulAgent) newToken(tb testing.TB, rules string) (token, accessor string) {
	tb.Helper()
	acl := a.client(tb).ACL()
	policy, _, err := acl.PolicyCreate(&api.ACLPolicy{Name: fmt.Sprintf("test-%d", time.Now().UnixNano()), Rules: rules}, nil)
	if err != nil {
		tb.Fatal(err)
	}
	made, _, err := acl.TokenCreate(&api.ACLToken{Policies: []*api.ACLTokenPolicyLink{{ID: policy.ID}}}, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return made.SecretID, made.AccessorID
}

// register adds a backend as an instance of a service.
func (a *consulAgent) register(tb testing.TB, service string, b *backend, change ...func(*api.AgentServiceRegistration)) {
	tb.Helper()
	reg := instanceOf(tb, service, b.addr)
	for _, f := range change {
		f(reg)
	}
	if err := a.client(tb).Agent().ServiceRegister(reg); err != nil {
		tb.Fatalf("register %s: %v", b.addr, err)
	}
}

// instanceOf is the least that a registration says.
func instanceOf(tb testing.TB, service, addr string) *api.AgentServiceRegistration {
	tb.Helper()
	tcp, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		tb.Fatal(err)
	}
	return &api.AgentServiceRegistration{ID: addr, Name: service, Address: tcp.IP.String(), Port: tcp.Port}
}

func (a *consulAgent) deregister(tb testing.TB, b *backend) {
	tb.Helper()
	if err := a.client(tb).Agent().ServiceDeregister(b.addr); err != nil {
		tb.Fatalf("deregister %s: %v", b.addr, err)
	}
}

// withTTL gives an instance a check that the test itself decides.
func withTTL(status string) func(*api.AgentServiceRegistration) {
	return func(r *api.AgentServiceRegistration) {
		r.Check = &api.AgentServiceCheck{CheckID: "ttl:" + r.ID, TTL: "10m", Status: status}
	}
}

func (a *consulAgent) setCheck(tb testing.TB, b *backend, status string) {
	tb.Helper()
	if err := a.client(tb).Agent().UpdateTTL("ttl:"+b.addr, "", status); err != nil {
		tb.Fatalf("check of %s: %v", b.addr, err)
	}
}

// target returns a target for a service of the agent.
func (a *consulAgent) target(service string, params ...string) string {
	params = slices.DeleteFunc(params, func(p string) bool { return p == "" })
	return strings.TrimSuffix("consul://"+a.http+"/"+service+"?"+strings.Join(params, "&"), "?")
}

// startCluster returns three servers, in which the first is not the leader for
// any reason of ours.
func startCluster(tb testing.TB) []*consulAgent {
	tb.Helper()
	var agents []*consulAgent
	for range 3 {
		a := newAgent(tb, "-server", `performance { raft_multiplier = 1 }`)
		a.args = append(a.args, "-bootstrap-expect=3", "-data-dir="+a.dir)
		for _, other := range agents {
			a.args = append(a.args, "-retry-join="+other.serf, "-retry-interval=200ms")
		}
		agents = append(agents, a)
	}
	for _, a := range agents {
		a.run(tb)
	}
	for _, a := range agents {
		a.waitReady(tb)
	}
	return agents
}

// leader returns the index of the agent that leads.
func leader(tb testing.TB, agents []*consulAgent) int {
	tb.Helper()
	for i, a := range agents {
		self, err := a.client(tb).Agent().Self()
		if err != nil {
			continue
		}
		if raft, ok := self["Stats"]["raft"].(map[string]any); ok && raft["state"] == "Leader" {
			return i
		}
	}
	tb.Fatal(errors.New("no leader among the servers"))
	return -1
}
