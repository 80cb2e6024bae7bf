package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// readAll may look at every service.
const readAll = `service_prefix "" { policy = "read" } node_prefix "" { policy = "read" }`

func TestConsulTokenFileIsFollowed(t *testing.T) {
	s := startConsul(t, acls)
	a, b := startBackend(t), startBackend(t)
	s.register(t, "x", a)
	file := filepath.Join(t.TempDir(), "token")
	write := func(token string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	token, accessor := s.newToken(t, readAll)
	write(token)
	cc := dial(t, s.target("x", "token-file="+file))
	waitForBackends(t, cc, a)
	waitForBackends(t, dial(t, s.target("x", "token="+token)), a)

	// The token is replaced, and the old one revoked.
	other, _ := s.newToken(t, readAll)
	write(other)
	if _, err := s.client(t).ACL().TokenDelete(accessor, nil); err != nil {
		t.Fatal(err)
	}
	s.register(t, "x", b)
	waitForBackends(t, cc, a, b)
}

func TestConsulOverTLS(t *testing.T) {
	certs := newCertificates(t)
	s := newConsul(t)
	s.args = append(s.args, "-https-port="+port(s.https), fmt.Sprintf(`-hcl=tls { defaults { ca_file = %q, cert_file = %q, key_file = %q }, https { verify_incoming = true } }`,
		certs.ca, certs.serverCert, certs.serverKey))
	s.start(t)
	a, b := startBackend(t), startBackend(t)
	s.register(t, "x", a)
	mutual := "ca-file=" + certs.ca + "&cert-file=" + certs.clientCert + "&key-file=" + certs.clientKey
	cc := dial(t, "consul://"+s.https+"/x?"+mutual)
	waitForBackends(t, cc, a)
	s.register(t, "x", b)
	waitForBackends(t, cc, a, b)
	waitForBackends(t, dial(t, "consul://"+s.https+"/x?server-name=etcd.internal&"+mutual), a, b)
	waitForBackends(t, dial(t, "consul://"+s.https+"/x?scheme=https&insecure&"+mutual[strings.Index(mutual, "&")+1:]), a, b)

	others := newCertificates(t)
	for params, want := range map[string]string{
		mutual + "&server-name=other":                   "x509: certificate is valid for etcd.internal, not other",
		strings.Replace(mutual, certs.ca, others.ca, 1): "x509: certificate signed by unknown authority",
		"ca-file=" + certs.ca:                           "remote error: tls: certificate required",
		"ca-file=/nowhere":                              "TLS: Error loading CA File: open /nowhere: no such file or directory",
		"scheme=http":                                   "Client sent an HTTP request to an HTTPS server",
	} {
		mustFailWith(t, "consul://"+s.https+"/x?"+params, want)
	}
	mustFailWith(t, "consul://"+s.http+"/x?scheme=https", "server gave HTTP response to HTTPS client")
}

// mustFailWith makes an RPC that has to fail with the cause, long before its
// deadline.
func mustFailWith(t *testing.T, target, want string) {
	t.Helper()
	cc := dial(t, target)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	began := time.Now()
	_, err := call(ctx, cc)
	took := time.Since(began)
	if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), want) {
		t.Errorf("RPC to %s = %v, want Unavailable with %q", target, err, want)
	}
	t.Logf("%s\n\tfailed after %v: %v", target, took, err)
	if *full && took > 100*time.Millisecond {
		t.Errorf("the RPC took %v to fail", took)
	}
}

func TestConsulCausesReachTheRPC(t *testing.T) {
	s := startConsul(t, acls)
	token, _ := s.newToken(t, readAll)
	blind, _ := s.newToken(t, `service "other" { policy = "read" }`)
	s.register(t, "sick", startBackend(t), withTTL(api.HealthCritical))
	s.register(t, "x", startBackend(t))
	for target, want := range map[string]string{
		s.target("x", "token=11111111-2222-3333-4444-555555555555"): `consul: "x": Consul answers 403: ACL not found`,
		s.target("x"):                                    `consul: "x": no endpoints: Consul knows no instance of the service; Consul was asked without an ACL token, and denies by default`,
		s.target("x", "token="+blind):                    `consul: "x": no endpoints: Consul knows no instance of the service; Consul withholds what the ACL token may not read`,
		s.target("unknown", "token="+token):              `consul: "unknown": no endpoints: Consul knows no instance of the service`,
		s.target("x", "tag=v2", "token="+token):          `consul: "x": no endpoints: Consul knows no instance of the service with the tags ["v2"]`,
		s.target("sick", "token="+token):                 `consul: "sick": no endpoints: none of the instances is healthy enough (1 critical)`,
		s.target("x", "filter=nonsense", "token="+token): `consul: "x": Consul answers 500: Failed to create boolean expression evaluator`,
		s.target("x", "dc=nowhere", "token="+token):      `consul: "x": Consul answers 500: No path to datacenter`,
		s.target("q", "query", "token="+token):           `consul: "q": Consul answers 404: Query not found`,
	} {
		mustFailWith(t, target, want)
	}
}

func TestConsulTokenRevokedWhileRunning(t *testing.T) {
	s := startConsul(t, acls)
	a := startBackend(t)
	s.register(t, "x", a)
	token, accessor := s.newToken(t, readAll)
	cc := dial(t, s.target("x", "wait=1s", "token="+token))
	waitForBackends(t, cc, a)
	if _, err := s.client(t).ACL().TokenDelete(accessor, nil); err != nil {
		t.Fatal(err)
	}
	s.register(t, "x", startBackend(t)) // which it must not hear of
	seen := build(t, s.target("x", "wait=1s", "token="+token))
	const want = `consul: "x": Consul answers 403: ACL not found`
	eventually(t, "the error", func() bool { return slices.Contains(seen.calls(), "error "+want) })
	for range 20 {
		if got := mustCall(t, cc); got != a.addr { // the healthy backend stays
			t.Errorf("an RPC went to %s, want %s", got, a.addr)
		}
	}
	a.server.Stop()
	eventually(t, "the cause in the error of an RPC", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, err := call(ctx, cc)
		return status.Code(err) == codes.Unavailable && strings.Contains(err.Error(), want)
	})
}
