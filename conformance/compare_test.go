package main

import (
	"slices"
	"strings"
	"testing"
	"time"
)

var lazySuite = &suite{pkg: grpcModule + "/balancer/lazy"}

// outcomes makes a package's result from test names: "-" before a name means
// failed, "~" skipped by itself, "!" still running.
func outcomes(names ...string) *pkgResult {
	res := &pkgResult{Passed: true, finished: true, Tests: map[string]*testResult{}}
	for _, n := range names {
		switch n[0] {
		case '-':
			res.Tests[n[1:]] = &testResult{Failed: 1}
			res.Passed = false
		case '~':
			res.Tests[n[1:]] = &testResult{Skipped: 1}
		case '!':
			res.Tests[n[1:]] = &testResult{}
			res.Passed = false
		default:
			res.Tests[n] = &testResult{Passed: 1}
		}
	}
	return res
}

// proven adds the harness's own test.
func proven(res *pkgResult) *pkgResult {
	res.Tests[proofTest] = &testResult{Passed: 1, Output: "evenkeel-override name=pick_first builder=scstate.parsingBuilder builds=7\n"}
	return res
}

func broken(res *pkgResult, problem string) *pkgResult {
	res.Problem, res.Passed = problem, false
	return res
}

func compareOne(t *testing.T, base, over *pkgResult, skipText string) *report {
	t.Helper()
	skips, err := parseSkips(skipText)
	if err != nil {
		t.Fatal(err)
	}
	return compare([]*suite{lazySuite}, outcome{lazySuite: base}, outcome{lazySuite: over}, skips)
}

func TestCompare(t *testing.T) {
	noBuild := broken(outcomes(), "does not build")
	noBuild.NoBuild = true
	const hang = "panic: test timed out after 5m0s"
	tests := []struct {
		name       string
		base, over *pkgResult
		skips      string
		different  []string // "test: what"
		notes      int
		status     int
	}{
		{name: "the same in both", base: outcomes("Test", "Test/A", "~Test/B"), over: proven(outcomes("Test", "Test/A", "~Test/B"))},
		{name: "fails with the override", base: outcomes("Test", "Test/A"), over: proven(outcomes("-Test", "-Test/A")),
			different: []string{"Test/A: fails"}, status: 1},
		{name: "fails in both", base: outcomes("-Test", "-Test/A"), over: proven(outcomes("-Test", "-Test/A")), notes: 1},
		{name: "fails without the override only", base: outcomes("-Test", "-Test/A"), over: proven(outcomes("Test", "Test/A")), notes: 1},
		{name: "a subtest that the baseline does not have fails", base: outcomes("Test", "Test/A"), over: proven(outcomes("-Test", "-Test/A", "-Test/A/x")),
			different: []string{"Test/A/x: fails"}, status: 1},
		{name: "panics: the package and the test that was running differ", base: outcomes("Test", "Test/A"),
			over: proven(broken(outcomes("!Test", "!Test/A"), "panic: boom")), different: []string{"Test/A: was running at: panic: boom", ": panic: boom"}, status: 1},
		{name: "times out: only the test differs", base: outcomes("Test", "Test/A"),
			over: proven(broken(outcomes("!Test", "!Test/A"), hang)), different: []string{"Test/A: was running at: " + hang}, notes: 1, status: 1},
		{name: "does not build: one difference for all tests", base: outcomes("Test", "Test/A", "Test/B"), over: noBuild,
			different: []string{": does not build"}, status: 1},
		{name: "a test that never starts", base: outcomes("Test", "Test/A", "Test/B"), over: proven(broken(outcomes("-Test", "-Test/A"), hang)),
			different: []string{"Test/A: fails", "Test/B: does not run"}, notes: 1, status: 1},
		{name: "timed out once, then all passed", base: outcomes("Test", "Test/A"), over: proven(broken(outcomes("Test", "Test/A"), hang)), notes: 1},
		{name: "subtests after one that fails are not told of", base: outcomes("Test", "Test/A", "Test/A/x"), over: proven(outcomes("-Test", "-Test/A")),
			different: []string{"Test/A: fails"}, status: 1},
		{name: "subtests with names of their own in each run", base: outcomes("Test", "Test/127.0.0.1:1"), over: proven(outcomes("Test", "Test/127.0.0.1:2"))},
		{name: "fails without a failing test", base: outcomes("Test"), over: func() *pkgResult { r := proven(outcomes("Test")); r.Passed = false; return r }(),
			different: []string{": fails without a failing test"}, status: 1},
		{name: "a skipped test may be missing", base: outcomes("Test", "Test/A", "Test/B"), over: proven(outcomes("Test", "Test/B")),
			skips: "feed ./balancer/lazy Test/A reads a hook"},
		{name: "a skip that matches nothing", base: outcomes("Test", "Test/A"), over: proven(outcomes("Test", "Test/A")),
			skips: "feed ./balancer/lazy Test/Gone reads a hook", status: 1},
		{name: "the override has no effect", base: outcomes("Test"), over: func() *pkgResult {
			r := outcomes("Test", "-"+proofTest)
			r.Tests[proofTest].Output = "    override.go:9: evenkeel-proof: pick_first is grpc's\n"
			return r
		}(), status: 1},
		{name: "no proof of the override", base: outcomes("Test"), over: outcomes("Test"), status: 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rep := compareOne(t, tt.base, tt.over, tt.skips)
			var got []string
			for _, d := range rep.differences {
				got = append(got, d.test+": "+d.what)
			}
			if !slices.Equal(got, tt.different) {
				t.Errorf("differences = %q, want %q", got, tt.different)
			}
			if got := len(rep.notes); got != tt.notes {
				t.Errorf("notes = %q, want %d", rep.notes, tt.notes)
			}
			if got := rep.exitStatus(); got != tt.status {
				t.Errorf("exitStatus() = %d, want %d", got, tt.status)
			}
		})
	}
}

func TestReportTotals(t *testing.T) {
	rep := compareOne(t, outcomes("Test", "Test/A", "Test/B", "Test/C", "~Test/D", "Test/E"),
		proven(outcomes("-Test", "Test/A", "-Test/B", "-Test/C", "~Test/D")), "feed ./balancer/lazy Test/E reads a hook")
	rep.differences[0].verdict, rep.differences[0].detail = cleared, "failed 0 of 3 times"
	rep.elapsed = 90 * time.Second
	var out strings.Builder
	rep.write(&out, false)
	for _, want := range []string{
		"./balancer/lazy  4      1               1          1          0.0      pick_first 7",
		"./balancer/lazy Test/C: fails\n",
		"failed in the full run, passed alone:\n  ./balancer/lazy Test/B: fails; alone: failed 0 of 3 times\n",
		"^(Test)$/^(E)$: reads a hook",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("report lacks %q:\n%s", want, &out)
		}
	}
	if want := "\n2 passed, 1 failed, 2 skipped\n"; !strings.HasSuffix(out.String(), want) {
		t.Errorf("report ends with %q, want %q", out.String()[max(0, out.Len()-60):], want)
	}
}

func TestReason(t *testing.T) {
	const out = `    tlogger.go:129: WARNING something
    a_test.go:10: first
    a_test.go:12: got 1, want 2
--- FAIL: Test/A (0.00s)
`
	if got, want := reason(out), "a_test.go:12: got 1, want 2"; got != want {
		t.Errorf("reason = %q, want %q", got, want)
	}
	if got := reason("panic: boom"); got != "" {
		t.Errorf("reason without a test's line = %q, want none", got)
	}
}
