package e2e

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// enableAuth gives the cluster a root, and a user who may read what is under x/.
func enableAuth(tb testing.TB, c *clientv3.Client, user, password string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 10*time.Second)
	defer cancel()
	for what, do := range map[string]func() error{
		"add root": func() error { _, err := c.UserAdd(ctx, "root", "rootpw"); return err },
		"add role": func() error { _, err := c.RoleAdd(ctx, "reader"); return err },
		"add user": func() error { _, err := c.UserAdd(ctx, user, password); return err },
	} {
		if err := do(); err != nil {
			tb.Fatalf("%s: %v", what, err)
		}
	}
	steps := []func() error{
		func() error { _, err := c.UserGrantRole(ctx, "root", "root"); return err },
		func() error {
			_, err := c.RoleGrantPermission(ctx, "reader", "x/", clientv3.GetPrefixRangeEnd("x/"), clientv3.PermissionType(clientv3.PermRead))
			return err
		},
		func() error { _, err := c.UserGrantRole(ctx, user, "reader"); return err },
		func() error { _, err := c.AuthEnable(ctx); return err },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			tb.Fatal(err)
		}
	}
}

func writeFile(tb testing.TB, path, content string) {
	tb.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		tb.Fatal(err)
	}
}

func TestEtcdWithTLSAndAUser(t *testing.T) {
	c := newEtcdCluster(t, 3)
	c.tls = newCertificates(t)
	c.start(t)
	enableAuth(t, c.client(t), "svc", "hunter2")
	admin := openClient(t, clientv3.Config{Endpoints: c.addrs(), TLS: c.tls.client(t), Username: "root", Password: "rootpw"})
	a, b := startBackend(t), startBackend(t)
	put(t, admin, "x/1", a.addr)

	password := filepath.Join(t.TempDir(), "password")
	query := url.Values{
		"ca-file": {c.tls.ca}, "cert-file": {c.tls.clientCert}, "key-file": {c.tls.clientKey}, "server-name": {"etcd.internal"},
		"user": {"svc"}, "password-file": {password},
	}
	target := "etcd://" + c.hosts() + "/x?" + query.Encode()
	cc := dial(t, target)
	seen := build(t, target)
	cc.Connect()
	waitForError := func(want string) {
		t.Helper()
		eventually(t, "the error "+want, func() bool {
			return slices.ContainsFunc(seen.calls(), func(call string) bool {
				return strings.HasPrefix(call, "error ") && strings.Contains(call, want)
			})
		})
	}
	waitForError("password-file: open " + password)
	writeFile(t, password, "wrong\n")
	waitForError("authentication failed")
	writeFile(t, password, "hunter2\n")
	waitForBackends(t, cc, a)
	load := startCallers(t, cc)

	// A login is good for 2 s if it is not used; the watch and what comes after
	// it go on regardless.
	time.Sleep(length(3*time.Second, 10*time.Second))
	put(t, admin, "x/2", b.addr)
	waitForBackends(t, cc, a, b)

	// Another password, and everything restarted: who comes back must log in with
	// the new one.
	if _, err := admin.UserChangePassword(t.Context(), "svc", "hunter3"); err != nil {
		t.Fatal(err)
	}
	writeFile(t, password, "hunter3")
	c.stop()
	c.start(t)
	remove(t, admin, "x/2")
	waitForBackends(t, cc, a)
	load.mustNotHaveFailed(t)
	for _, call := range seen.calls() {
		if strings.Contains(call, "hunter") || strings.Contains(call, "wrong") {
			t.Errorf("the channel was told a password: %s", call)
		}
	}
}

func TestEtcdOfAnUnknownAuthority(t *testing.T) {
	c := newEtcdCluster(t, 1)
	c.tls = newCertificates(t)
	c.start(t)
	other := newCertificates(t)
	seen := build(t, "etcd://"+c.hosts()+"/x?"+url.Values{"ca-file": {other.ca}}.Encode())
	eventually(t, "an error that says so", func() bool {
		return slices.ContainsFunc(seen.calls(), func(call string) bool {
			return strings.Contains(call, "certificate signed by unknown authority")
		})
	})
}
