package etcd

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseTarget(t *testing.T) {
	for _, tt := range []struct {
		name, target string
		want         config
	}{
		{"a client of the program", "etcd:///services/payments", config{nil, "services/payments/", 30 * time.Second}},
		{"one slash", "etcd:/services/payments", config{nil, "services/payments/", 30 * time.Second}},
		{"a host", "etcd://h:2379/payments", config{[]string{"h:2379"}, "payments/", 30 * time.Second}},
		{"two hosts", "etcd://h1:2379,10.0.0.2:1/a/b", config{[]string{"h1:2379", "10.0.0.2:1"}, "a/b/", 30 * time.Second}},
		{"an IPv6 host", "etcd://[::1]:2379/x", config{[]string{"[::1]:2379"}, "x/", 30 * time.Second}},
		{"a slash at the end", "etcd:///payments/", config{nil, "payments/", 30 * time.Second}},
		{"keys that begin with a slash", "etcd:////microservices/x", config{nil, "/microservices/x/", 30 * time.Second}},
		{"escapes", "etcd:///a%20b/%23/%3F", config{nil, "a b/#/?/", 30 * time.Second}},
		{"a grace period", "etcd:///x?grace=1m30s", config{nil, "x/", 90 * time.Second}},
		{"no grace period", "etcd:///x?grace=0", config{nil, "x/", 0}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseTarget(*mustURL(t, tt.target))
			if err != nil {
				t.Fatalf("parseTarget(%s): %v", tt.target, err)
			}
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(config{})); diff != "" {
				t.Errorf("parseTarget(%s) (-want +got):\n%s", tt.target, diff)
			}
		})
	}
}

func TestParseTargetRejects(t *testing.T) {
	for _, tt := range []struct{ name, target, want string }{
		{"no prefix", "etcd://h:2379", `no key prefix; want e.g. etcd:///services/payments`},
		{"an empty prefix", "etcd://h:2379/", "no key prefix"},
		{"nothing but slashes", "etcd://h:2379///", "no key prefix"},
		{"a missing slash", "etcd://services/payments", `host "services": want host:port (for a key prefix without a host write three slashes: etcd:///prefix)`},
		{"no slash", "etcd:services/payments", "no slashes after the scheme"},
		{"an empty host", "etcd://,h:2379/x", `host "": want host:port`},
		{"no host before the port", "etcd://:2379/x", `host ":2379": want host:port`},
		{"port 0", "etcd://h:0/x", `host "h:0": port "0": want 1 to 65535`},
		{"a port that is too large", "etcd://h:65536/x", `port "65536": want 1 to 65535`},
		{"an empty port", "etcd://h:/x", `port "": want 1 to 65535`},
		{"semicolons", "etcd://h:1;g:2/x", `host "h:1;g:2": want host:port`},
		{"a user", "etcd://hunter2@h:2379/x", `no user and password here; give the resolver a client that has them through WithClient`},
		{"a user and a password", "etcd://root:hunter2@h:2379/x", `no user and password here`},
		{"an unknown parameter", "etcd:///x?password=hunter2", `unknown parameter "password" (known: grace)`},
		{"a slip of the pen", "etcd:///x?garce=hunter2", `unknown parameter "garce" (did you mean "grace"? known: grace)`},
		{"a grace period without unit", "etcd:///x?grace=30", `parameter grace="30": want a duration that is not negative, such as 30s`},
		{"a negative grace period", "etcd:///x?grace=-1s", `parameter grace="-1s"`},
		{"a fragment", "etcd:///x#y", `a "#" in the key prefix is written %23`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parseTarget(*mustURL(t, tt.target))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("parseTarget(%s) = %v, want %s", tt.target, err, tt.want)
			}
			if shown := redact(*mustURL(t, tt.target)) + err.Error(); strings.Contains(shown, "hunter2") {
				t.Errorf("a secret is shown in %s", shown)
			}
		})
	}
}

func mustURL(t *testing.T, target string) *url.URL {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatalf("url.Parse(%s): %v", target, err)
	}
	return u
}

// FuzzParseTarget checks that what parseTarget accepts means the same when it is
// written back.
func FuzzParseTarget(f *testing.F) {
	f.Fuzz(func(t *testing.T, target string) {
		u, err := url.Parse(target)
		if err != nil {
			t.Skip()
		}
		cfg, err := parseTarget(*u)
		if err != nil {
			return
		}
		if !strings.HasSuffix(cfg.prefix, "/") || strings.Trim(cfg.prefix, "/") == "" {
			t.Fatalf("parseTarget(%q): prefix %q", target, cfg.prefix)
		}
		written := &url.URL{
			Scheme:   Scheme,
			Host:     strings.Join(cfg.hosts, ","),
			Path:     "/" + cfg.prefix,
			RawQuery: url.Values{"grace": {cfg.grace.String()}}.Encode(),
		}
		again, err := parseTarget(*written)
		if err != nil {
			t.Fatalf("parseTarget(%q) accepted, but not %q: %v", target, written, err)
		}
		if diff := cmp.Diff(cfg, again, cmp.AllowUnexported(config{})); diff != "" {
			t.Errorf("parseTarget(%q) and (%q) differ:\n%s", target, written, diff)
		}
	})
}
