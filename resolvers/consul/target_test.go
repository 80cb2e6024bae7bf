package consul

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/evenkeel-grpc/evenkeel/internal/secret"
)

func TestParseTargetDefaults(t *testing.T) {
	cfg := mustParse(t, "consul:///payments")
	want := config{
		grace:      30 * time.Second,
		maxBackoff: 600 * time.Millisecond,
		query:      query{name: "payments", timeout: 5 * time.Second},
	}
	if cfg != want {
		t.Errorf("parseTarget = %+v, want %+v", cfg, want)
	}
}

func TestParseTargetReadsEverything(t *testing.T) {
	cfg := mustParse(t, "consul://jane:hunter2@[::1]:8501/payments/?tag=b&tags=c,%20a,&tag=b&dc=x&dc=w&ns=n&partition=p&near=_agent"+
		"&filter=Service.Port%20!=%200&health=warning&fallback=1&wait=1m&stale&limit=3&ca-file=ca&cert-file=cert&key-file=key"+
		"&server-name=s&token=hunter3&connect=true&addr=wan&config-key=/k/1&grace=1s&timeout=2s&max-backoff=3s&insecure=1")
	want := config{
		access: access{
			addr: "[::1]:8501", scheme: "https", user: "jane", password: secret.New("hunter2"), token: secret.New("hunter3"), exposed: true,
			caFile: "ca", certFile: "cert", keyFile: "key", serverName: "s", insecure: true,
		},
		query: query{
			name: "payments", connect: true, tags: "a\x00b\x00c", dcs: "x\x00w", ns: "n", partition: "p", near: "_agent",
			filter: "Service.Port != 0", health: warning, fallback: true, limit: 3, addr: "wan", reads: readStale,
			wait: time.Minute, timeout: 2 * time.Second, configKey: "k/1",
		},
		grace:      time.Second,
		maxBackoff: 3 * time.Second,
	}
	if cfg != want {
		t.Errorf("parseTarget = %+v, want %+v", cfg, want)
	}
	if text := fmt.Sprintf("%v %+v %#v", cfg, cfg, cfg); strings.Contains(text, "hunter") {
		t.Errorf("a config shows its secrets: %s", text)
	}
}

// What the documentation of two other resolvers promises.
func TestParseTargetOfOthers(t *testing.T) {
	for params, want := range map[string]query{
		"healthy=true":               {},
		"healthy=false":              {health: critical},
		"health=healthy":             {},
		"health=fallbackToUnhealthy": {fallback: true},
		"allow-stale=true":           {reads: readStale},
		"allow-stale=false":          {},
		"require-consistent=true":    {reads: readConsistent},
		"timeout=60s&wait=14s":       {timeout: time.Minute, wait: 14 * time.Second},
		"timeout=0&wait=0&limit=0":   {},
		"tags=primary,eu":            {tags: "eu\x00primary"},
		"near=host":                  {near: "host"},
		"dc=xx":                      {dcs: "xx"},
	} {
		want.name = "x"
		if want.timeout == 0 {
			want.timeout = defaultTimeout
		}
		if got := mustParse(t, "consul://h:1/x/?"+params).query; got != want {
			t.Errorf("parseTarget(%s) = %+v, want %+v", params, got, want)
		}
	}
	if cfg := mustParse(t, "consul://h:1/x?max-backoff=2s&insecure=true&scheme=https"); cfg.maxBackoff != 2*time.Second || !cfg.access.insecure || cfg.access.scheme != "https" {
		t.Errorf("parseTarget = %+v, want max-backoff, insecure and scheme as given", cfg)
	}
}

func TestParseTargetRejects(t *testing.T) {
	for target, want := range map[string]string{
		"consul:payments":                          "no slashes after the scheme; want consul:///service or consul://host:port/service",
		"consul://payments":                        `no service after the host "payments"; want consul://host:port/service, or consul:///service with three slashes for the host in the environment`,
		"consul://payments/":                       `no service after the host "payments"; want consul://host:port/service, or consul:///service with three slashes for the host in the environment`,
		"consul:///":                               "no service; want consul:///service or consul://host:port/service",
		"consul:///a/b":                            `service "a/b": want a name without slashes`,
		"consul:///..":                             `service "..": want a name without slashes`,
		"consul:///a%00b":                          `service "a\x00b": want a name without control characters`,
		"consul:///x#hunter2":                      `a "#" is written %23`,
		"consul://a:1,b:2/x":                       `host "a:1,b:2": want one; Consul's agents find the others by themselves`,
		"consul://:8500/x":                         `host ":8500": want host:port (for the one in the environment write three slashes: consul:///service)`,
		"consul://h:0/x":                           `host "h:0": port "0": want 1 to 65535`,
		"consul://jane:hunter2@/x":                 "a user and no host; want consul://user:password@host:port/service",
		"consul:///x?helthy=true":                  `unknown parameter "helthy" (did you mean "healthy"? known: addr, allow-stale, ca-file, cached, cert-file, config-key, connect, consistent, dc, fallback, filter, grace, health, healthy, insecure, key-file, limit, max-backoff, near, ns, partition, query, require-consistent, scheme, server-name, stale, tag, tags, timeout, token, token-file, wait)`,
		"consul:///x?near=a&near=b":                `parameter "near" is given 2 times`,
		"consul:///x?near=":                        `parameter "near" has no value`,
		"consul:///x?token=hunter2%0aX":            `parameter "token" has a control character`,
		"consul:///x?health=good":                  `parameter health="good": want one of passing, warning, any, healthy, fallbackToUnhealthy`,
		"consul:///x?health=any&healthy=true":      `parameters "health" and "healthy": want one of them`,
		"consul:///x?stale=maybe":                  `parameter stale="maybe": want true or false`,
		"consul:///x?stale&consistent":             `parameters "stale", "consistent" and "cached": want one of them`,
		"consul:///x?wait=5":                       `parameter wait="5": want a duration that is not negative, such as 30s`,
		"consul:///x?grace=-1s":                    `parameter grace="-1s": want a duration that is not negative, such as 30s`,
		"consul:///x?wait=11m":                     `parameter wait="11m": want at most 10m, which is what Consul grants`,
		"consul:///x?limit=some":                   `parameter limit="some": want a whole number from 0 on`,
		"consul:///x?limit=-1":                     `parameter limit="-1": want a whole number from 0 on`,
		"consul:///x?scheme=ftp":                   `parameter scheme="ftp": want one of https, http`,
		"consul:///x?scheme=http&ca-file=f":        `parameter scheme="http" with a parameter for TLS: want scheme=https, or none of ca-file, cert-file, key-file, server-name`,
		"consul:///x?cert-file=f":                  `parameters "cert-file" and "key-file": want both or neither`,
		"consul:///x?token=hunter2&token-file=f":   `parameters "token" and "token-file": want one of them`,
		"consul:///x?dc=a&dc=a":                    `parameter "dc" names a datacenter twice`,
		"consul:///x?query=1&tag=a":                `parameter "tag" with query=1: the prepared query itself decides that`,
		"consul:///x?query=1&dc=a&dc=b":            `parameter "dc" given several times with query=1: want one; the prepared query itself has a failover`,
		"consul:///x?token=hunter2;near=x":         "malformed parameters (want name=value, joined by &)",
		"consul://jane:hunter2@h:1/x?nope=hunter2": "unknown parameter",
	} {
		u, err := url.Parse(target)
		if err != nil {
			t.Fatal(err)
		}
		_, err = parseTarget(*u)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("parseTarget(%s) = %v, want %s", target, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("parseTarget(%s) shows a secret: %v", target, err)
		}
	}
}

func TestSealedTargetMeansTheSame(t *testing.T) {
	for _, target := range []string{
		"consul://jane:p%40ss@h:1/x?token=t%26k&tag=a",
		"consul://jane:p@h:1/x",
		"consul:///x?%74oken=t",
		"consul:///x?stale&token=t&tag=a&tag=b",
		"consul://jane@h:1/x",
	} {
		u, _ := url.Parse(target)
		before := mustParse(t, target)
		sealed, ok := seal(*u)
		if !ok {
			t.Errorf("seal(%s) found no secret", target)
		}
		again, err := url.Parse(sealed.String())
		if err != nil {
			t.Fatal(err)
		}
		after, err := parseTarget(*again)
		if err != nil {
			t.Fatalf("parseTarget(%s): %v", again, err)
		}
		if !before.access.exposed || after.access.exposed {
			t.Errorf("%s: exposed is %t in the clear and %t sealed", target, before.access.exposed, after.access.exposed)
		}
		after.access.exposed = true
		if after != before {
			t.Errorf("%s means %+v, sealed %+v", target, before, after)
		}
		if twice, _ := seal(sealed); twice.String() != sealed.String() {
			t.Errorf("sealed twice: %s, want %s", twice.String(), sealed.String())
		}
	}
	for _, target := range []string{"consul:///x", "consul://h:1/x?tag=token", "consul:///x?token=", "consul:///x?stale&near=y%7e"} {
		u, _ := url.Parse(target)
		if sealed, ok := seal(*u); ok || sealed.String() != target {
			t.Errorf("seal(%s) = %s, %t, want it unchanged", target, sealed.String(), ok)
		}
	}
}

// A token in the wrong place must not be shown either.
func TestWhatIsRefusedIsSealedToo(t *testing.T) {
	for _, target := range []string{
		"consul:///x?tokn=hunter2", "consul:///x?hunter2", "consul:///x?a;token=hunter2", "consul:///x?token=%zzhunter2",
		"consul:///x?near=a;token=hunter2", "consul:///x?%zz=hunter2", "consul:///x#hunter2", "consul:///x?tag=a#token=hunter2",
	} {
		u, err := url.Parse(target)
		if err != nil {
			t.Fatal(err)
		}
		sealed, ok := seal(*u)
		if !ok || strings.Contains(sealed.String(), "hunter2") {
			t.Errorf("seal(%s) = %s, want nothing shown", target, sealed.String())
		}
		if _, err := parseTarget(sealed); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("parseTarget(%s) = %v, want an error without the secret", sealed.String(), err)
		}
	}
}

func mustParse(t *testing.T, target string) config {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := parseTarget(*u)
	if err != nil {
		t.Fatalf("parseTarget(%s): %v", target, err)
	}
	return cfg
}

func FuzzParseTarget(f *testing.F) {
	f.Fuzz(func(t *testing.T, target string) {
		u, err := url.Parse(target)
		if err != nil {
			return
		}
		cfg, err := parseTarget(*u)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\r") {
				t.Errorf("an error of several lines: %q", err)
			}
			return
		}
		if cfg.query.name == "" || strings.Contains(cfg.query.name, "/") {
			t.Errorf("service %q", cfg.query.name)
		}
		for _, d := range []time.Duration{cfg.query.timeout, cfg.maxBackoff, cfg.grace + 1, cfg.query.wait + 1, time.Duration(cfg.query.limit + 1)} {
			if d <= 0 {
				t.Errorf("not positive: %+v", cfg)
			}
		}
		for _, s := range []secret.Text{cfg.access.token, cfg.access.password} {
			sealed, _ := seal(*u)
			if len(s.Reveal()) > 20 && strings.Contains(sealed.String(), s.Reveal()) {
				t.Errorf("the sealed target shows a secret: %s", sealed.String())
			}
		}
	})
}

func TestNilOptionsAreIgnored(t *testing.T) {
	if got := NewBuilder(nil, nil).Scheme(); got != "consul" {
		t.Errorf("Scheme() = %q, want %q", got, "consul")
	}
}
