package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// tempDir makes the demo use a folder of the test's, and returns it.
func tempDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	return dir
}

// wantEmpty checks that the demo left nothing behind.
func wantEmpty(t *testing.T, dir string) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left in the temporary folder: %q, %v", left, err)
	}
}

func TestRun(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	dir := tempDir(t)
	cfg := DefaultConfig()
	cfg.JSON, cfg.Duration, cfg.Backends = true, 6*time.Second, 3
	var out bytes.Buffer
	if err := Run(t.Context(), cfg, &out); err != nil {
		t.Fatal(err)
	}
	wantEmpty(t, dir)

	var r Report
	d := json.NewDecoder(bytes.NewReader(out.Bytes()))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil || strings.Count(out.String(), "\n") != 1 {
		t.Fatalf("output %q: %v, want one JSON object on one line", out.String(), err)
	}
	if r.Errors != 0 || r.RPCs < 100 || r.Policy != "round_robin" || !strings.HasPrefix(r.Target, "etcd://127.0.0.1:") {
		t.Errorf("report = %+v, want RPCs without errors", r)
	}
	if got, want := len(r.Backends), cfg.Backends+2; got != want {
		t.Errorf("backends with RPCs = %d, want %d: the two added are among them", got, want)
	}
	sum := 0
	for _, b := range r.Backends {
		sum += b.RPCs
	}
	if sum != r.RPCs {
		t.Errorf("RPCs of all backends = %d, want %d", sum, r.RPCs)
	}
	if r.Converge.Add <= 0 || r.Converge.Crash != 0 {
		t.Errorf("converge_ms = %+v, want add > 0, and no RPC after a crashed server's lease", r.Converge)
	}
	for _, key := range []string{"target", "policy", "rpcs", "errors", "backends", "addr", "converge_ms", "add", "drain", "crash"} {
		if !strings.Contains(out.String(), `"`+key+`":`) {
			t.Errorf("output has no key %q", key)
		}
	}
}

func TestSharesAreEvenBetweenChanges(t *testing.T) {
	tempDir(t)
	cfg := DefaultConfig()
	cfg.Duration, cfg.Rate = 6*time.Second, 2000
	s := &scenario{cfg: cfg, tally: newTally(), events: map[string]change{}, view: noView{}}
	if err := s.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.report.WorstShare > 2 {
		t.Errorf("a backend was %.2f %% off the mean share, want 2 %% at most", s.report.WorstShare)
	}
}

func TestInterruptLeavesNothingBehind(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	for name, after := range map[string]time.Duration{"at the start": 0, "while it runs": 1500 * time.Millisecond} {
		dir := tempDir(t)
		ctx, cancel := context.WithTimeout(t.Context(), after)
		err := Run(ctx, DefaultConfig(), &bytes.Buffer{})
		cancel()
		if !errors.Is(err, ErrInterrupted) {
			t.Errorf("%s: Run() = %v, want ErrInterrupted", name, err)
		}
		wantEmpty(t, dir)
	}
}

func TestBadFlags(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"too few backends":                       {func(c *Config) { c.Backends = 2 }, "--backends 2: want 3 to 100"},
		"too many backends":                      {func(c *Config) { c.Backends = 101 }, "--backends 101: want 3 to 100"},
		"too short":                              {func(c *Config) { c.Duration = time.Second }, "--duration 1s: want 5s to 1h0m0s"},
		"negative duration":                      {func(c *Config) { c.Duration = -time.Second }, "--duration -1s: want 5s to 1h0m0s"},
		"negative rate":                          {func(c *Config) { c.Rate = -1 }, "--rate -1: want 0, or 100 to 1000000 RPCs per second"},
		"misspelt policy":                        {func(c *Config) { c.Policy = "roundrobin" }, `did you mean "round_robin"`},
		"policy that uses one backend":           {func(c *Config) { c.Policy = "pick_first" }, `want one that uses all, such as "round_robin"`},
		"policy of a package that is not linked": {func(c *Config) { c.Policy = "ring_hash_experimental" }, "google.golang.org/grpc/balancer/ringhash"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := DefaultConfig()
			tt.change(&cfg)
			err := Run(t.Context(), cfg, &bytes.Buffer{})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Run(%+v) = %v, want an error with %q", cfg, err, tt.want)
			}
		})
	}
}

func TestFailedRPCsFailTheRun(t *testing.T) {
	s := &scenario{tally: newTally(), report: Report{RPCs: 2}}
	s.tally.record("a:1", nil)
	s.tally.record("", errors.New("unavailable"))
	if err := s.publish(&bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), "1 of 2 RPCs failed") {
		t.Errorf("publish() = %v, want an error that counts the failed RPCs", err)
	}
}

func TestDeviation(t *testing.T) {
	for name, tt := range map[string]struct {
		before, after map[string]int
		want          float64
	}{
		"one RPC off":      {nil, map[string]int{"a": 11, "b": 9}, 0},
		"even":             {map[string]int{"a": 10, "b": 0}, map[string]int{"a": 20, "b": 10}, 0},
		"ten percent":      {nil, map[string]int{"a": 111, "b": 89}, 10},
		"one got nothing":  {nil, map[string]int{"a": 100}, 98},
		"nothing happened": {map[string]int{"a": 1}, map[string]int{"a": 1}, 0},
	} {
		if got := deviation(tt.before, tt.after, []string{"a", "b"}); got != tt.want {
			t.Errorf("%s: deviation = %v, want %v", name, got, tt.want)
		}
	}
}
