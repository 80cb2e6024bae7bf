package etcd

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// lonely is an identity whose client never connects unless asked to.
func lonely(host string) identity {
	return identity{access: access{hosts: host, dialTimeout: time.Second}}
}

func TestPoolSharesAClientAndClosesItAfterTheLastUser(t *testing.T) {
	var p pool
	a, releaseA, err := p.acquire(t.Context(), lonely("127.0.0.1:1"))
	if err != nil {
		t.Fatal(err)
	}
	b, releaseB, err := p.acquire(t.Context(), lonely("127.0.0.1:1"))
	if err != nil {
		t.Fatal(err)
	}
	other, releaseOther, err := p.acquire(t.Context(), lonely("127.0.0.1:2"))
	if err != nil {
		t.Fatal(err)
	}
	if a != b || a == other {
		t.Errorf("clients for one host, the same and another: %p, %p, %p", a, b, other)
	}
	releaseA()
	if a.Ctx().Err() != nil {
		t.Error("the client was closed while somebody used it")
	}
	releaseB()
	releaseOther()
	if a.Ctx().Err() == nil || len(p.entries) != 0 {
		t.Errorf("after the last user the client is open, entries %v", p.entries)
	}
}

func TestPoolFromManyGoroutines(t *testing.T) {
	var p pool
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				client, release, err := p.acquire(t.Context(), lonely("127.0.0.1:1"))
				if err != nil || client.Ctx().Err() != nil {
					t.Errorf("acquire = %v, %v, want an open client", client, err)
					return
				}
				release()
			}
		})
	}
	wg.Wait()
	if len(p.entries) != 0 {
		t.Errorf("entries left: %v", p.entries)
	}
}

// A login that hangs must neither hold up who has given up nor leave anything.
func TestPoolLetsGoOfALoginThatHangs(t *testing.T) {
	var p pool
	id := lonely("127.0.0.1:1")
	id.user, id.password, id.dialTimeout = "u", "hunter2", time.Hour
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := p.acquire(ctx, id)
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("acquire = %v, want an error without the password", err)
	}
	if !errors.Is(err, context.Canceled) && !strings.Contains(err.Error(), "refused") {
		t.Errorf("acquire with a context that is done = %v", err)
	}
	if len(p.entries) != 0 {
		t.Errorf("entries left: %v", p.entries)
	}
}

func file(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoadReadsFilesAnewEachTime(t *testing.T) {
	a := access{user: "u", passwordFile: file(t, "password", "one\n")}
	first, err := a.load()
	if err != nil || first.password != "one" {
		t.Fatalf("load = %q, %v, want the password without its newline", first.password, err)
	}
	if err := os.WriteFile(a.passwordFile, []byte(" two "), 0o600); err != nil {
		t.Fatal(err)
	}
	second, err := a.load()
	if err != nil || second.password != " two " || first == second {
		t.Errorf("load after a change = %q, %v, want the new password as it is", second.password, err)
	}
}

func TestLoadAndTLSReject(t *testing.T) {
	nowhere := filepath.Join(t.TempDir(), "nowhere")
	garbage := file(t, "garbage", "hunter2")
	for _, tt := range []struct {
		name string
		a    access
		want string
	}{
		{"a file that is not there", access{caFile: nowhere}, "ca-file: open " + nowhere},
		{"an empty password", access{user: "u", passwordFile: file(t, "empty", "\n")}, "is empty"},
		{"an authority that is none", access{caFile: garbage}, "no certificate in PEM format"},
		{"a certificate that is none", access{certFile: garbage, keyFile: garbage}, "no pair of certificate and key in PEM format"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			id, err := tt.a.load()
			if err == nil {
				_, err = id.tlsConfig()
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("error = %v, want %s, and nothing of what is in the file", err, tt.want)
			}
		})
	}
}

func TestTLSIsUsedIfAnythingIsSaidAboutIt(t *testing.T) {
	if cfg, err := (identity{}).tlsConfig(); cfg != nil || err != nil {
		t.Errorf("tlsConfig of nothing = %v, %v, want none", cfg, err)
	}
	cfg, err := identity{access: access{serverName: "etcd.internal"}}.tlsConfig()
	if err != nil || cfg == nil || cfg.ServerName != "etcd.internal" || cfg.RootCAs != nil {
		t.Errorf("tlsConfig of a server name = %+v, %v, want that name and the system's authorities", cfg, err)
	}
}
