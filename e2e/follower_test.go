package e2e

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/resolver"
)

// followerEnv makes the test binary a process that does nothing but follow the
// target in it, so that its memory can be measured: the servers have their own.
const followerEnv = "EVENKEEL_E2E_FOLLOW"

// lastAddr is the address that ends a storm; it sorts after all others.
const lastAddr = "z:1"

// report is what a follower has seen up to a list that it was to tell of: its
// first, and each in which lastAddr appears.
type report struct {
	Took      time.Duration // since the start of the follower
	Endpoints int
	Digest    string
	Updates   int // lists
	Busiest   int // the most lists in any second
	PeakRSS   int // MB, of the process, since its start
}

// watcher is a channel that only looks.
type watcher struct {
	resolver.ClientConn // panics on anything else

	began time.Time
	mu    sync.Mutex // guards the fields below
	times []time.Time
	last  bool // whether lastAddr is in the list
}

func (w *watcher) ReportError(err error) { fmt.Fprintln(os.Stderr, err) }

func (w *watcher) UpdateState(s resolver.State) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.times = append(w.times, time.Now())
	n := len(s.Endpoints)
	before := w.last
	w.last = n > 0 && s.Endpoints[n-1].Addresses[0].Addr == lastAddr
	if len(w.times) == 1 || w.last && !before {
		return json.NewEncoder(os.Stdout).Encode(w.report(s))
	}
	return nil
}

func (w *watcher) report(s resolver.State) report {
	addrs := make([]string, len(s.Endpoints))
	for i, e := range s.Endpoints {
		addrs[i] = e.Addresses[0].Addr
	}
	return report{
		Took:      time.Since(w.began),
		Endpoints: len(addrs),
		Digest:    digest(addrs),
		Updates:   len(w.times),
		Busiest:   busiest(w.times),
		PeakRSS:   peakRSS(),
	}
}

// busiest returns the most times that are within a second.
func busiest(times []time.Time) int {
	most, from := 0, 0
	for i, t := range times {
		for t.Sub(times[from]) >= time.Second {
			from++
		}
		most = max(most, i-from+1)
	}
	return most
}

// digest is of addresses in their order.
func digest(addrs []string) string {
	h := sha256.New()
	for _, a := range addrs {
		_, _ = io.WriteString(h, a+"\n")
	}
	return hex.EncodeToString(h.Sum(nil))
}

// peakRSS returns 0 where there is no /proc.
func peakRSS() int {
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		if kb, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, _ := strconv.Atoi(strings.Fields(kb)[0])
			return n / 1024
		}
	}
	return 0
}

// runFollower is the main function of a follower. It ends when its input does.
func runFollower() {
	w := &watcher{began: time.Now()}
	u, err := url.Parse(os.Getenv(followerEnv))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	r, err := resolver.Get(u.Scheme).Build(resolver.Target{URL: *u}, w, resolver.BuildOptions{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	r.Close()
}

// startFollower returns a function that waits for the next report.
func startFollower(tb testing.TB, target string) (next func() report) {
	tb.Helper()
	cmd := exec.CommandContext(tb.Context(), os.Args[0])
	cmd.Env = append(slices.Clone(os.Environ()), followerEnv+"="+target)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	lines := make(chan string, 10) // more than a follower has to tell
	done := make(chan struct{})
	go func() {
		defer close(done)
		for s := bufio.NewScanner(out); s.Scan(); {
			lines <- s.Text()
		}
	}()
	tb.Cleanup(func() {
		_ = in.Close()
		<-done
		if err := cmd.Wait(); err != nil && tb.Context().Err() == nil {
			tb.Errorf("follower: %v", err)
		}
	})
	return func() (r report) {
		tb.Helper()
		select {
		case line := <-lines:
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				tb.Fatalf("follower said %q: %v", line, err)
			}
		case <-time.After(time.Minute):
			tb.Fatal("no report from the follower within a minute")
		}
		return r
	}
}
