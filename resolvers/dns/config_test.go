package dns_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/resolver"

	"github.com/evenkeel-grpc/evenkeel/resolvers/dns"
)

func TestTargetsThatAreAccepted(t *testing.T) {
	for _, tt := range []struct {
		target, host, port string
		servers            []string
	}{
		{"dns:///a.test:8080", "a.test", "8080", nil},
		{"dns:///a.test", "a.test", "443", nil},
		{"dns:a.test", "a.test", "443", nil},
		{"dns:a.test:80", "a.test", "80", nil},
		{"dns:///a.test:http", "a.test", "http", nil},
		{"dns:///a.test.", "a.test.", "443", nil},
		{"dns:///:80", "localhost", "80", nil},
		{"dns:///[::1]:80", "::1", "80", nil},
		{"dns:///[::1]", "::1", "443", nil},
		{"dns:///::1", "::1", "443", nil},
		{"dns:///[fe80::1%25eth0]:80", "fe80::1%eth0", "80", nil},
		{"dns:///10.0.0.1", "10.0.0.1", "443", nil},
		{"dns://10.0.0.53/a.test", "a.test", "443", []string{"10.0.0.53:53"}},
		{"dns://10.0.0.53:54/a.test", "a.test", "443", []string{"10.0.0.53:54"}},
		{"dns://[2001:db8::1]/a.test", "a.test", "443", []string{"[2001:db8::1]:53"}},
		{"dns://[2001:db8::1]:54/a.test", "a.test", "443", []string{"[2001:db8::1]:54"}},
		{"dns://ns.test/a.test", "a.test", "443", []string{"ns.test:53"}},
		{"dns://:54/a.test", "a.test", "443", []string{"localhost:54"}},
		{"dns://10.0.0.53,10.0.0.54:54/a.test", "a.test", "443", []string{"10.0.0.53:53", "10.0.0.54:54"}},
		{"dns://10.0.0.53/a.test?tls=ns.test", "a.test", "443", []string{"10.0.0.53:853"}},
		{"dns://10.0.0.53:54/a.test?tls=ns.test", "a.test", "443", []string{"10.0.0.53:54"}},
		{"dns:///a.test?refresh=ttl&min=1s&max=1h&grace=0s&group=host", "a.test", "443", nil},
		{"dns:///a.test?srv=1&servername=target", "a.test", "443", nil},
		{"dns:///_grpc._tcp.a.test?servername=target", "_grpc._tcp.a.test", "443", nil},
		{"dns:a.test:80?refresh=off", "a.test", "80", nil},
		{"dns://user:password@/proxy.test:3128", "proxy.test", "3128", nil}, // from grpc
	} {
		host, port, servers, err := dns.ParseTarget(target(t, tt.target))
		if err != nil || host != tt.host || port != tt.port || !slices.Equal(servers, tt.servers) {
			t.Errorf("target %s is read as %q, %q, %q, %v, want %q, %q, %q",
				tt.target, host, port, servers, err, tt.host, tt.port, tt.servers)
		}
	}
}

func TestTargetsThatAreRefused(t *testing.T) {
	for _, tt := range []struct{ target, want string }{
		{"dns:///", "no host; want e.g. dns:///payments.example.com:8080"},
		{"dns://10.0.0.53", "no host"},
		{"dns:///a.test:", `host "a.test:": no port after the colon`},
		{"dns:///[::1]:", `no port after the colon`},
		{"dns:///a:b:c", `host "a:b:c": want host or host:port`},
		{"dns:///a..test", `host "a..test": not a domain name`},
		{"dns:///" + strings.Repeat("a.", 200), `not a domain name`},
		{"dns://10.0.0.53:/a", `name server: host "10.0.0.53:": no port after the colon`},
		{"dns://10.0.0.53,/a", `name server: no host`},
		{"dns://10.0.0.53:99999/a", `name server "10.0.0.53:99999": port "99999": want 1 to 65535`},
		{"dns://user:secret@ns.test/a:", "no port after the colon"},
		{"dns:///a#secret", `"#" is not part of a DNS target`},
		{"dns:///a?refersh=secret", `unknown parameter "refersh" (did you mean "refresh"? known: grace, group, max, min, refresh, servername, srv, tls, wait)`},
		{"dns:///a?min=1s&min=2s", `parameter "min" is given 2 times`},
		{"dns:///a?refresh=often", `parameter refresh="often": want ttl, off, or a duration of 100ms or more, such as 30s`},
		{"dns:///a?refresh=1ms", `parameter refresh="1ms": want ttl, off, or a duration`},
		{"dns:///a?min=0", `parameter min="0": want a duration of 100ms or more, such as 30s`},
		{"dns:///a?max=x", `parameter max="x": want a duration`},
		{"dns:///a?grace=-1s", `parameter grace="-1s": want a duration of 0s or more, such as 30s`},
		{"dns:///a?min=2m&max=1m", "parameters min=2m0s and max=1m0s: want min <= max"},
		{"dns:///a?srv=yes", `parameter srv="yes": want 1`},
		{"dns:///a?group=all", `parameter group="all": want host`},
		{"dns:///a?srv=1&servername=host", `parameter servername="host": want target`},
		{"dns:///a?servername=target", "parameter servername=target: only for SRV records (srv=1)"},
		{"dns:///a:80?srv=1", `port "80": the ports come from the SRV records`},
		{"dns:///_grpc._tcp.a:80", `port "80": the ports come from the SRV records`},
		{"dns:///10.0.0.1?srv=1", `parameter srv: "10.0.0.1" is an address, which has no SRV records`},
		{"dns:///a?tls=ns.test", "parameter tls: no name server to use it with"},
		{"dns://10.0.0.53/a?tls=", `parameter tls="": want the name in the name servers' certificate`},
	} {
		t.Run(tt.target[:min(len(tt.target), 50)], func(t *testing.T) {
			_, err := dns.NewBuilder().Build(target(t, tt.target), nil, resolver.BuildOptions{})
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), `dns: target "`) {
				t.Fatalf("Build = %v, want %s", err, tt.want)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("Build = %v, which shows what may be a secret", err)
			}
		})
	}
}

func FuzzParseTarget(f *testing.F) {
	f.Add("dns://10.0.0.53:54/a.test:80?min=1s&max=2s&group=host")
	f.Fuzz(func(t *testing.T, s string) {
		u, err := url.Parse(s)
		if err != nil {
			return
		}
		host, port, servers, err := dns.ParseTarget(resolver.Target{URL: *u})
		if err != nil {
			return
		}
		if host == "" || port == "" || slices.Contains(servers, "") {
			t.Errorf("target %q is read as %q, %q, %q", s, host, port, servers)
		}
		// What was accepted is accepted again when it is written in full.
		endpoint := resolver.Target{URL: *u}.Endpoint()
		full := url.URL{Scheme: "dns", Host: strings.Join(servers, ","), Path: "/" + endpoint, RawQuery: u.RawQuery}
		again, againPort, _, err := dns.ParseTarget(resolver.Target{URL: full})
		if err != nil || again != host || againPort != port {
			t.Errorf("target %q is read as %q, %q, and then as %q, %q, %v", s, host, port, again, againPort, err)
		}
	})
}

func TestNilOptionsAreIgnored(t *testing.T) {
	if got := dns.NewBuilder(nil, nil).Scheme(); got != "dns" {
		t.Errorf("Scheme() = %q, want %q", got, "dns")
	}
}
