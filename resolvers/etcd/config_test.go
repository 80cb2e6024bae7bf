package etcd

import (
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// places returns what is the same as in "etcd:///<prefix>", with changes.
func places(prefix string, change func(*config)) config {
	cfg := config{
		place: place{access: access{dialTimeout: 2 * time.Second}, prefix: prefix, page: 5000},
		grace: 30 * time.Second,
	}
	if change != nil {
		change(&cfg)
	}
	return cfg
}

func hosts(list string) func(*config) { return func(c *config) { c.hosts = list } }

func TestParseTarget(t *testing.T) {
	for _, tt := range []struct {
		name, target string
		want         config
	}{
		{"a client of the program", "etcd:///services/payments", places("services/payments/", nil)},
		{"one slash", "etcd:/services/payments", places("services/payments/", nil)},
		{"a host", "etcd://h:2379/payments", places("payments/", hosts("h:2379"))},
		{"two hosts", "etcd://h1:2379,10.0.0.2:1/a/b", places("a/b/", hosts("10.0.0.2:1,h1:2379"))},
		{"the same hosts otherwise", "etcd://10.0.0.2:1,H1:2379,10.0.0.2:1/a/b", places("a/b/", hosts("10.0.0.2:1,h1:2379"))},
		{"an IPv6 host", "etcd://[::1]:2379/x", places("x/", hosts("[::1]:2379"))},
		{"a slash at the end", "etcd:///payments/", places("payments/", nil)},
		{"keys that begin with a slash", "etcd:////microservices/x", places("/microservices/x/", nil)},
		{"escapes", "etcd:///a%20b/%23/%3F", places("a b/#/?/", nil)},
		{"a grace period", "etcd:///x?grace=1m30s", places("x/", func(c *config) { c.grace = 90 * time.Second })},
		{"no grace period", "etcd:///x?grace=0", places("x/", func(c *config) { c.grace = 0 })},
		{"a namespace", "etcd:///x?namespace=a/&config-key=y", places("a/x/", func(c *config) { c.configKey = "a/y" })},
		{"a registered client", "etcd:///x?client=main", places("x/", func(c *config) { c.client = "main" })},
		{"a format", "etcd:///x?format=go-micro", places("x/", func(c *config) { c.format = formatGoMicro })},
		{"a page", "etcd:///x?page=17", places("x/", func(c *config) { c.page = 17 })},
		{"go-zero's hosts in the path", "etcd:///127.0.0.1:2379,127.0.0.1:22379?key=user.rpc",
			places("user.rpc/", hosts("127.0.0.1:22379,127.0.0.1:2379"))},
		{"go-zero's older form", "etcd://127.0.0.1:2379,127.0.0.1:22379/user.rpc",
			places("user.rpc/", hosts("127.0.0.1:22379,127.0.0.1:2379"))},
		{"a key with hosts as usual", "etcd://h:1/?key=user.rpc", places("user.rpc/", hosts("h:1"))},
		{"a key without hosts", "etcd:///?key=a/b/", places("a/b/", nil)},
		{"TLS and a user", "etcd://h:1/x?ca-file=/c&cert-file=/d&key-file=/e&server-name=s&user=u&password-file=/p&dial-timeout=3s",
			places("x/", func(c *config) {
				c.access = access{
					hosts: "h:1", caFile: "/c", certFile: "/d", keyFile: "/e", serverName: "s",
					user: "u", passwordFile: "/p", dialTimeout: 3 * time.Second,
				}
			})},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseTarget(*mustURL(t, tt.target))
			if err != nil {
				t.Fatalf("parseTarget(%s): %v", tt.target, err)
			}
			if diff := cmp.Diff(tt.want, got, allow); diff != "" {
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
		{"a user", "etcd://hunter2@h:2379/x", `no user and password here, since targets are logged; want the parameters user and password-file, or a client`},
		{"a user and a password", "etcd://root:hunter2@h:2379/x", `no user and password here`},
		{"an unknown parameter", "etcd:///x?password=hunter2", `unknown parameter "password" (known: ca-file, cert-file, client, config-key, dial-timeout, format, grace, key, key-file, namespace, page, password-file, server-name, user)`},
		{"a slip of the pen", "etcd:///x?garce=hunter2", `unknown parameter "garce" (did you mean "grace"? known: ca-file, cert-file, client, config-key, dial-timeout, format, grace, key, key-file, namespace, page, password-file, server-name, user)`},
		{"a grace period without unit", "etcd:///x?grace=30", `parameter grace="30": want a duration that is not negative, such as 30s`},
		{"a negative grace period", "etcd:///x?grace=-1s", `parameter grace="-1s"`},
		{"a page of nothing", "etcd:///x?page=0", `parameter page="0": want 1 to 100000`},
		{"a format of nobody", "etcd:///x?format=xml", `parameter format="xml": want one of auto, etcd, go-zero, kratos, kitex, go-micro`},
		{"no time to connect", "etcd://h:1/x?dial-timeout=0", `parameter dial-timeout="0": want a duration above 0`},
		{"an empty parameter", "etcd://h:1/x?ca-file=", `parameter ca-file="": want a value`},
		{"a certificate without its key", "etcd://h:1/x?cert-file=/c", "one of the parameters cert-file and key-file (want both or none)"},
		{"a user without a password", "etcd://h:1/x?user=u", "one of the parameters user and password-file (want both or none)"},
		{"hosts and a client", "etcd://h:1/x?client=main", "hosts and the parameter client (want one of them)"},
		{"TLS for a client", "etcd:///x?ca-file=/c", "parameter ca-file without hosts: a client of the program has its own"},
		{"a prefix and a key", "etcd://h:1/x?key=y", "a key prefix and the parameter key (want one of them)"},
		{"a key of slashes", "etcd://h:1?key=/", "no key prefix"},
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

// allow lets cmp look into a config.
var allow = cmp.AllowUnexported(config{}, place{}, access{})

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
			t.Skip("grpc gives resolvers only targets that parse: ", err)
		}
		cfg, err := parseTarget(*u)
		if err != nil {
			return
		}
		if !strings.HasSuffix(cfg.prefix, "/") || strings.Trim(cfg.prefix, "/") == "" {
			t.Fatalf("parseTarget(%q): prefix %q", target, cfg.prefix)
		}
		written := write(cfg)
		again, err := parseTarget(*written)
		if err != nil {
			t.Fatalf("parseTarget(%q) accepted, but not %q: %v", target, written, err)
		}
		if diff := cmp.Diff(cfg, again, allow); diff != "" {
			t.Errorf("parseTarget(%q) and (%q) differ:\n%s", target, written, diff)
		}
	})
}

// write returns a target that means cfg.
func write(cfg config) *url.URL {
	query := url.Values{"grace": {cfg.grace.String()}}
	for name, value := range map[string]string{
		"ca-file": cfg.caFile, "cert-file": cfg.certFile, "key-file": cfg.keyFile, "server-name": cfg.serverName,
		"user": cfg.user, "password-file": cfg.passwordFile, "config-key": cfg.configKey, "client": cfg.client,
		"format": cfg.format.String(), "page": strconv.FormatInt(cfg.page, 10),
	} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if cfg.hosts != "" {
		query.Set("dial-timeout", cfg.dialTimeout.String())
	}
	return &url.URL{Scheme: Scheme, Host: cfg.hosts, Path: "/" + cfg.prefix, RawQuery: query.Encode()}
}

func TestNilOptionsAreIgnored(t *testing.T) {
	if got := NewBuilder(nil, nil).Scheme(); got != "etcd" {
		t.Errorf("Scheme() = %q, want %q", got, "etcd")
	}
}
