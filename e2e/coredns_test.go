package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/evenkeel-grpc/evenkeel/internal/held"
)

// buildCoreDNS builds the server from the module in the directory coredns, which
// has dependencies that no other should get. It takes half a minute once.
var buildCoreDNS = sync.OnceValues(func() (path string, err error) {
	if path, err = filepath.Abs("../.bin/coredns"); err != nil {
		return "", err
	}
	cmd := exec.Command("go", "build", "-o", path, ".")
	cmd.Dir = "coredns"
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=readonly")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%v: %w\n%s", cmd, err, out)
	}
	return path, nil
})

// coreDNS is a CoreDNS with one zone, test., which can be stopped and started
// again at the same address.
type coreDNS struct {
	addr string // host:port, for UDP and TCP
	dot  string // for DNS over TLS, empty without
	dir  string

	serial int
	stop   func() // kills the server; may be called again

	mu     sync.Mutex // guards the field below
	byName map[string]int
}

// answersTo makes the server answer every question with a code instead.
type answersTo string

// startCoreDNS starts a server with the given records, e.g. "payments 1 IN A
// 127.0.0.1".
func startCoreDNS(tb testing.TB, records ...string) *coreDNS {
	tb.Helper()
	s := newCoreDNS(tb, records...)
	s.start(tb, "")
	return s
}

// newCoreDNS returns a server that has not been started.
func newCoreDNS(tb testing.TB, records ...string) *coreDNS {
	tb.Helper()
	s := &coreDNS{addr: held.Addr(tb), dir: tb.TempDir(), byName: map[string]int{}, stop: func() {}}
	s.set(tb, records...)
	return s
}

// set replaces all records. The server follows within a few milliseconds.
func (s *coreDNS) set(tb testing.TB, records ...string) {
	tb.Helper()
	s.serial++
	zone := fmt.Sprintf("$ORIGIN test.\n@ 1 IN SOA ns. admin. %d 3600 600 86400 1\n@ 1 IN NS ns.\n%s\n",
		s.serial, strings.Join(records, "\n"))
	next := filepath.Join(s.dir, "next")
	if err := os.WriteFile(next, []byte(zone), 0o600); err != nil {
		tb.Fatal(err)
	}
	if err := os.Rename(next, filepath.Join(s.dir, "zone")); err != nil {
		tb.Fatal(err)
	}
}

// change is set, and waits until the server answers with it.
func (s *coreDNS) change(tb testing.TB, records ...string) {
	tb.Helper()
	s.set(tb, records...)
	s.wait(tb)
}

func (s *coreDNS) corefile(code answersTo) string {
	zone := "file " + filepath.Join(s.dir, "zone") + " test {\n    reload 10ms\n  }"
	if code != "" {
		zone = "template ANY ANY . {\n    rcode " + string(code) + "\n  }"
	}
	host, port, _ := strings.Cut(s.addr, ":")
	text := fmt.Sprintf("test:%s {\n  bind %s\n  log\n  errors\n  loadbalance\n  %s\n}\n", port, host, zone)
	if s.dot != "" {
		host, port, _ := strings.Cut(s.dot, ":")
		text += fmt.Sprintf("tls://test:%s {\n  bind %s\n  tls %s %s\n  log\n  errors\n  %s\n}\n",
			port, host, filepath.Join(s.dir, "cert.pem"), filepath.Join(s.dir, "key.pem"), zone)
	}
	return text
}

// start runs the server, and returns when it answers. If code is not empty, that
// is its answer to all.
func (s *coreDNS) start(tb testing.TB, code answersTo) {
	tb.Helper()
	path, err := buildCoreDNS()
	if err != nil {
		tb.Fatal(err)
	}
	corefile := filepath.Join(s.dir, "Corefile")
	if err := os.WriteFile(corefile, []byte(s.corefile(code)), 0o600); err != nil {
		tb.Fatal(err)
	}
	ctx, kill := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, path, "-conf", corefile)
	out, in := io.Pipe()
	cmd.Stdout, cmd.Stderr = in, in
	if err := cmd.Start(); err != nil {
		kill()
		tb.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() { s.follow(out) })
	running.Go(func() {
		_ = cmd.Wait()
		_ = in.Close()
	})
	s.stop = func() {
		kill()
		running.Wait()
	}
	tb.Cleanup(func() { s.stop() })
	if code == "" {
		s.wait(tb)
		return
	}
	eventually(tb, "an answer "+string(code), func() bool {
		m, err := s.ask("test.", dns.TypeSOA)
		return err == nil && dns.RcodeToString[m.Rcode] == string(code)
	})
}

// restart stops the server if it runs, and starts it as start does.
func (s *coreDNS) restart(tb testing.TB, code answersTo) {
	tb.Helper()
	s.stop()
	s.start(tb, code)
}

// follow counts the queries in the server's log.
func (s *coreDNS) follow(log io.Reader) {
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		// [INFO] 127.0.0.1:1234 - 5 "A IN payments.test. udp 41 false 1232" NOERROR ...
		_, query, ok := strings.Cut(lines.Text(), `"`)
		f := strings.Fields(query)
		if !ok || len(f) < 3 || f[0] == "SOA" {
			continue
		}
		s.mu.Lock()
		s.byName[f[0]+" "+f[2]]++
		s.mu.Unlock()
	}
	_, _ = io.Copy(io.Discard, log)
}

// count returns how often the server was asked, e.g. for "A payments.test.".
func (s *coreDNS) count(question string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.byName[question]
}

func (s *coreDNS) ask(name string, kind uint16) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	m, _, err := (&dns.Client{}).ExchangeContext(ctx, new(dns.Msg).SetQuestion(name, kind), s.addr)
	return m, err
}

// wait returns when the server has the last records.
func (s *coreDNS) wait(tb testing.TB) {
	tb.Helper()
	eventually(tb, "the zone in CoreDNS", func() bool {
		m, err := s.ask("test.", dns.TypeSOA)
		if err != nil || len(m.Answer) != 1 {
			return false
		}
		soa, ok := m.Answer[0].(*dns.SOA)
		return ok && int(soa.Serial) == s.serial
	})
}

// target is that of a name in the zone.
func (s *coreDNS) target(rest string) string { return "dns://" + s.addr + "/" + rest }
