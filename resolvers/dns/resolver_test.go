package dns_test

import (
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc/grpclog"
	"google.golang.org/grpc/resolver"

	"github.com/evenkeel-grpc/evenkeel/registry"
	"github.com/evenkeel-grpc/evenkeel/resolvers/dns"
)

// warnings has what the package logged.
var warnings lockedText

type lockedText struct {
	mu   sync.Mutex // guards the field below
	text strings.Builder
}

func (l *lockedText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lockedText) count(s string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), s)
}

func TestMain(m *testing.M) {
	grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, &warnings, io.Discard))
	goleak.VerifyTestMain(m)
}

func TestImportReplacesGRPCs(t *testing.T) {
	b, ok := resolver.Get("dns").(registry.TargetChecker)
	if !ok {
		t.Fatalf("resolver.Get(dns) = %T, want ours", resolver.Get("dns"))
	}
	if err := b.CheckTarget(target(t, "dns:///a?garce=1m")); err == nil || !strings.Contains(err.Error(), `dns: unknown parameter "garce"`) {
		t.Errorf("CheckTarget = %v, want an error about the parameter", err)
	}
	i := slices.IndexFunc(registry.Default.Plugins(), func(p registry.Plugin) bool { return p.Kind == registry.KindResolver && p.Name == "dns" })
	if i < 0 {
		t.Fatal("the registry does not know the resolver")
	}
	if p := registry.Default.Plugins()[i]; p.Replaced != "google.golang.org/grpc/internal/resolver/dns" || p.OverwrittenBy != "" {
		t.Errorf("the registry says %+v, want grpc-go's replaced", p)
	}
}

func TestAddressesAreAnsweredWithinBuild(t *testing.T) {
	for tgt, want := range map[string]string{
		"dns:///10.0.0.1":              "list 10.0.0.1",
		"dns:///10.0.0.1:80":           "list 10.0.0.1:80",
		"dns:///[2001:db8::1]:80":      "list [2001:db8::1]:80",
		"dns:///2001:db8::1":           "list [2001:db8::1]",
		"dns:///[fe80::1%25lo]:80":     "list [fe80::1%lo]:80",
		"dns://127.0.0.1:1/10.0.0.1:1": "list 10.0.0.1:1",
	} {
		cc := &fakeChannel{}
		r, err := dns.NewBuilder().Build(target(t, tgt), cc, resolver.BuildOptions{})
		if err != nil || len(cc.told) != 1 || cc.told[0] != want {
			t.Errorf("Build(%s) = %v, and told the channel %q, want %q", tgt, err, cc.told, want)
			continue
		}
		if e := cc.last.Endpoints[0]; !slices.Equal(cc.last.Addresses, e.Addresses) || &cc.last.Addresses[0] == &e.Addresses[0] {
			t.Errorf("Build(%s): addresses %v, want a copy of the endpoint's %v", tgt, cc.last.Addresses, e.Addresses)
		}
		r.ResolveNow(resolver.ResolveNowOptions{})
		r.Close()
	}
}

// What this client cannot do, the operating system does, for each target alone.
func TestSystemIsAskedForWhatOnlyItCanDo(t *testing.T) {
	if _, err := net.DefaultResolver.LookupHost(t.Context(), "localhost"); err != nil {
		t.Skip("the system does not know localhost: ", err)
	}
	for range 2 {
		h := newHost(t)
		h.write(t, "nsswitch.conf", "hosts: files resolve [!UNAVAIL=return] dns\n")
		cc, r := h.follow(t, "dns:///localhost:80")
		for began := time.Now(); ; time.Sleep(time.Millisecond) {
			cc.mu.Lock()
			told := strings.Join(cc.told, "; ")
			cc.mu.Unlock()
			if strings.HasPrefix(told, "list 127.0.0.1:80") {
				break
			}
			if time.Since(began) > 10*time.Second {
				t.Fatalf("after 10 s the channel was told %q, want the addresses of localhost", told)
			}
		}
		if len(h.asked) > 0 {
			t.Errorf("asked name servers for %q", h.asked)
		}
		r.Close()
	}
	// The two hosts have different files, and so different reasons.
	if got := warnings.count(`because of "resolve" in ` + os.TempDir()); got != 2 {
		t.Errorf("warnings about %q = %d, want one for each reason", "resolve", got)
	}
}

func TestSystemIsNotAskedWhenTheTargetNamesAServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		h.write(t, "nsswitch.conf", "hosts: files resolve [!UNAVAIL=return] dns\n")
		h.set("a.test.", 10, "A", "10.0.0.1")
		cc, _ := h.follow(t, "dns://10.0.0.53/a.test")
		cc.expect(t, "list 10.0.0.1")
	})
}

// deadServer returns the address of a name server that swallows everything.
func deadServer(t *testing.T) string {
	t.Helper()
	var lc net.ListenConfig
	pc, err := lc.ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pc.Close() })
	return pc.LocalAddr().String()
}

func TestBuildIsFastAndCloseLeavesNothing(t *testing.T) {
	tgt := target(t, "dns://"+deadServer(t)+"/a.test")
	before := openFiles(t)
	var took []time.Duration
	for i := range 200 {
		began := time.Now()
		r, err := dns.NewBuilder().Build(tgt, &fakeChannel{}, resolver.BuildOptions{})
		took = append(took, time.Since(began))
		if err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			r.ResolveNow(resolver.ResolveNowOptions{})
			time.Sleep(time.Millisecond) // it has asked
		}
		r.Close()
	}
	slices.Sort(took)
	t.Logf("Build: median %v, slowest %v", took[len(took)/2], took[len(took)-1])
	if median := took[len(took)/2]; median > time.Millisecond {
		t.Errorf("median time of Build = %v, want less than 1 ms", median)
	}
	goleak.VerifyNone(t)
	if after := openFiles(t); after > before {
		t.Errorf("open files = %d, before %d", after, before)
	}
}

// openFiles counts the sockets and files of the process.
func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no /proc: ", err)
	}
	return len(entries)
}

func TestSetters(t *testing.T) {
	timeout, interval := dns.ResolvingTimeout(), dns.MinResolutionInterval()
	if timeout != 30*time.Second || interval != 30*time.Second {
		t.Errorf("defaults are %v and %v, want 30 s", timeout, interval)
	}
	defer func() {
		dns.SetResolvingTimeout(timeout)
		dns.SetMinResolutionInterval(interval)
	}()
	dns.SetResolvingTimeout(3 * time.Second)
	dns.SetMinResolutionInterval(10 * time.Second)
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		h.set("a.test.", 3600, "A", "10.0.0.1")
		h.set("a.test.", 3600, "AAAA", "2001:db8::1")
		_, r := h.follow(t, aTest+"?refresh=off")
		for range 100 {
			r.ResolveNow(resolver.ResolveNowOptions{})
			time.Sleep(time.Second)
		}
		between(t, "time between look-ups", h.gaps("a.test. A"), 10*time.Second, 11*time.Second)
	})
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		h.set("a.test.", 60, "MX", "1 b.test.")
		h.delay["a.test. A"] = time.Hour
		began := time.Now()
		cc, _ := h.follow(t, aTest)
		time.Sleep(3 * time.Second)
		cc.expect(t, `error dns: "a.test": A record: 10.0.0.53:53: no answer in time`)
		if d := time.Since(began); d != 3*time.Second {
			t.Errorf("the look-up took %v, want 3 s", d)
		}
	})
}
