package hostconf_test

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/evenkeel-grpc/evenkeel/resolvers/dns/internal/hostconf"
)

// fakeHost is a host with files of its own.
type fakeHost struct {
	*hostconf.Host
	dir string
}

func newHost(t *testing.T) *fakeHost {
	t.Helper()
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	return &fakeHost{hostconf.New(path("resolv.conf"), path("hosts"), path("nsswitch.conf")), dir}
}

func (h *fakeHost) write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(h.dir, file), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestResolv(t *testing.T) {
	ordinary := hostconf.Resolv{Servers: []string{"127.0.0.1:53", "[::1]:53"}, Ndots: 1, Timeout: 5 * time.Second, Attempts: 2}
	with := func(change func(*hostconf.Resolv)) hostconf.Resolv {
		r := ordinary
		change(&r)
		return r
	}
	for _, tt := range []struct {
		name, text string
		want       hostconf.Resolv
	}{
		{"nothing", "", ordinary},
		{"comments", "# nameserver 1.1.1.1\n;nameserver 1.1.1.1\n", ordinary},
		{"servers", "nameserver 10.0.0.1 # one\nnameserver fe80::1%eth0\n", with(func(r *hostconf.Resolv) {
			r.Servers = []string{"10.0.0.1:53", "[fe80::1%eth0]:53"}
		})},
		{"the first three servers", strings.Repeat("nameserver 10.0.0.1\n", 5), with(func(r *hostconf.Resolv) {
			r.Servers = []string{"10.0.0.1:53", "10.0.0.1:53", "10.0.0.1:53"}
		})},
		{"search", "search a.test b.test. ; c\n", with(func(r *hostconf.Resolv) { r.Search = []string{"a.test", "b.test."} })},
		{"the root as search", "search .\n", ordinary},
		{"domain", "domain a.test\n", with(func(r *hostconf.Resolv) { r.Search = []string{"a.test"} })},
		{"options", "options ndots:5 timeout:2\noptions attempts:3 rotate edns0\n", with(func(r *hostconf.Resolv) {
			r.Ndots, r.Timeout, r.Attempts, r.Rotate = 5, 2*time.Second, 3, true
		})},
		{"options out of range", "options ndots:99 timeout:9999 attempts:999\n", with(func(r *hostconf.Resolv) {
			r.Ndots, r.Timeout, r.Attempts = 15, 30*time.Second, 5
		})},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHost(t)
			h.write(t, "resolv.conf", tt.text)
			got := h.Resolv()
			if len(got.Search) == 0 {
				got.Search = nil
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("Resolv() = %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestNames(t *testing.T) {
	for _, tt := range []struct {
		name  string
		ndots int
		want  []string
	}{
		{"a.", 1, []string{"a."}},
		{"a", 1, []string{"a.s.test.", "a.t.test.", "a."}},
		{"a.b", 1, []string{"a.b.", "a.b.s.test.", "a.b.t.test."}},
		{"a.b", 5, []string{"a.b.s.test.", "a.b.t.test.", "a.b."}},
		{strings.Repeat("a.", 124) + "long", 1, []string{strings.Repeat("a.", 124) + "long."}},
	} {
		r := hostconf.Resolv{Search: []string{"s.test", "t.test."}, Ndots: tt.ndots}
		if got := r.Names(tt.name); !slices.Equal(got, tt.want) {
			t.Errorf("Names(%q) with ndots %d = %q, want %q", tt.name, tt.ndots, got, tt.want)
		}
	}
}

func TestHosts(t *testing.T) {
	h := newHost(t)
	h.write(t, "hosts", `
127.0.0.1	localhost Local # comment other
::1 localhost
10.0.0.1 a.test a.test
fe80::1%eth0 b.test
not-an-address c.test
10.0.0.2
::ffff:10.0.0.3 d.test
`)
	for name, want := range map[string]string{
		"localhost": "[127.0.0.1 ::1]", "LOCALHOST.": "[127.0.0.1 ::1]", "local": "[127.0.0.1]", "other": "[]",
		"a.test": "[10.0.0.1]", "b.test": "[fe80::1%eth0]", "c.test": "[]", "d.test": "[10.0.0.3]",
	} {
		if got := fmt.Sprint(h.Hosts(name)); got != want {
			t.Errorf("Hosts(%q) = %v, want %v", name, got, want)
		}
	}
}

func TestFilesAreReadAgainWhenTheyChange(t *testing.T) {
	h := newHost(t)
	check := func(want string) {
		t.Helper()
		if got := fmt.Sprint(h.Hosts("a")); got != want {
			t.Errorf("Hosts(a) = %v, want %v", got, want)
		}
	}
	check("[]")
	h.write(t, "hosts", "10.0.0.1 a\n")
	check("[10.0.0.1]")
	h.write(t, "hosts", "10.0.0.22 a\n")
	check("[10.0.0.22]")
	h.write(t, "hosts", "10.0.0.33 a\n") // as long
	later := time.Now().Add(time.Second)
	if err := os.Chtimes(filepath.Join(h.dir, "hosts"), later, later); err != nil {
		t.Fatal(err)
	}
	check("[10.0.0.33]")
	if err := os.Remove(filepath.Join(h.dir, "hosts")); err != nil {
		t.Fatal(err)
	}
	check("[]")
}

func TestUnsupported(t *testing.T) {
	own, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ line, name, want string }{
		{"", "a.test", ""},
		{"passwd: files", "a.test", ""},
		{"hosts: files dns", "a.test", ""},
		{"hosts:files dns # mdns", "a.test", ""},
		{"hosts: Files DNS", "a.test", ""},
		{"hosts: dns", "a.test", ""},
		{"hosts: files mdns4_minimal [NOTFOUND=return] dns", "a.test", ""},
		{"hosts: files mdns4_minimal [NOTFOUND=return] dns", "printer.local.", `"mdns4_minimal"`},
		{"hosts: files myhostname dns", "a.test", ""},
		{"hosts: files dns myhostname", own, `"myhostname"`},
		{"hosts: files dns myhostname", "x.LOCALHOST", `"myhostname"`},
		{"hosts: mymachines files dns", "a.test", ""},
		{"hosts: mymachines files dns", "box", `"mymachines"`},
		{"hosts: files resolve [!UNAVAIL=return] dns", "a.test", `"resolve"`},
		{"hosts: dns files", "a.test", `"dns" before "files"`},
		{"hosts: files ldap dns", "a.test", `"ldap"`},
		{"hosts: files [NOTFOUND=return] dns", "a.test", `"[notfound=return]"`},
		{"hosts: files [SUCCESS=return NOTFOUND=continue] dns", "a.test", ""},
		{"hosts: [", "a.test", ""},
	} {
		h := newHost(t)
		h.write(t, "resolv.conf", "")
		h.write(t, "nsswitch.conf", tt.line+"\n")
		got, _, _ := strings.Cut(h.Unsupported(tt.name), " in /")
		if got != tt.want {
			t.Errorf("Unsupported(%q) with %q = %q, want %q", tt.name, tt.line, got, tt.want)
		}
	}
}

func TestUnsupportedHosts(t *testing.T) {
	h := newHost(t)
	if got := h.Unsupported("a.test"); !strings.HasPrefix(got, "a host without ") {
		t.Errorf("Unsupported without resolv.conf = %q", got)
	}
	h.write(t, "resolv.conf", "")
	if got := h.Unsupported("a.test"); got != "" {
		t.Errorf("Unsupported with an empty resolv.conf = %q, want nothing", got)
	}
	t.Setenv("RES_OPTIONS", "ndots:3")
	if got := h.Unsupported("a.test"); got != "the environment variable RES_OPTIONS" {
		t.Errorf("Unsupported with RES_OPTIONS = %q", got)
	}
}

// This host must be one of those that are served without the system's help, or
// most other tests of the resolver would test that.
func TestLocal(t *testing.T) {
	if got := hostconf.Local.Unsupported("a.test"); got != "" {
		t.Skip("this host needs its own resolver because of " + got)
	}
	if got := hostconf.Local.Hosts("localhost"); len(got) > 0 && !slices.Contains(got, netip.MustParseAddr("127.0.0.1")) && !slices.Contains(got, netip.MustParseAddr("::1")) {
		t.Errorf("Hosts(localhost) = %v", got)
	}
	if got := hostconf.Local.Resolv(); len(got.Servers) == 0 || got.Attempts == 0 || got.Timeout == 0 {
		t.Errorf("Resolv() = %+v", got)
	}
}

func FuzzFiles(f *testing.F) {
	f.Add("nameserver ::1\nsearch . a\noptions ndots:-1 timeout:x", "10.0.0.1 a b\n", "hosts: files [a=b] dns")
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, resolv, hosts, nsswitch string) {
		host := &fakeHost{hostconf.New(filepath.Join(dir, "resolv.conf"), filepath.Join(dir, "hosts"), filepath.Join(dir, "nsswitch.conf")), dir}
		host.write(t, "resolv.conf", resolv)
		host.write(t, "hosts", hosts)
		host.write(t, "nsswitch.conf", nsswitch)
		r := host.Resolv()
		if n := len(r.Servers); n == 0 || n > 3 || r.Timeout < time.Second || r.Attempts < 1 || r.Attempts > 5 || r.Ndots < 0 {
			t.Errorf("resolv.conf %q is read as %+v", resolv, r)
		}
		for _, name := range r.Names("a.b") {
			if !strings.HasSuffix(name, ".") || len(name) > 255 {
				t.Errorf("resolv.conf %q makes a.b %q", resolv, name)
			}
		}
		host.Hosts("a")
		host.Unsupported("a")
	})
}
