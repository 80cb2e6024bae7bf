package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// parseFile parses testdata/name.json, a recorded go test -json of a package
// that is called tj/name.
func parseFile(t *testing.T, name string) *pkgResult {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	var told []string
	results, err := parseEvents(f, func(pkg string, _ *pkgResult) { told = append(told, pkg) })
	if err != nil {
		t.Fatalf("parseEvents(%s) = %v, want no error", name, err)
	}
	if want := "tj/" + name; len(told) != 1 || told[0] != want {
		t.Errorf("parseEvents(%s) told of %v, want only %s", name, told, want)
	}
	return results["tj/"+name]
}

func TestParseEvents(t *testing.T) {
	tests := []struct {
		name     string // of the file, and what it shows
		leaves   []string
		failures []string
		problem  string
		noBuild  bool
	}{
		{"plain", []string{"Test/F_x", "Test/P", "Test/S", "TestP"}, []string{"Test/F_x"}, "", false},
		{"panicsub", []string{"Test/A", "Test/B", "TestOK/a"}, []string{"Test/B"}, "panic: boom [recovered, repanicked]", false},
		{"panicgo", []string{"Test/A", "Test/B"}, []string{"Test/B"}, "panic: boom", false},
		{"hang", []string{"Test/A", "Test/B"}, []string{"Test/B"}, "panic: test timed out after 2s", false},
		{"exit1", []string{"Test/A", "Test/F"}, []string{"Test/A", "Test/F"}, "ended early: FAIL", false},
		{"build", nil, nil, "does not build", true},
		{"setup", nil, nil, "does not build", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			res := parseFile(t, tt.name)
			if got := res.leaves(); !slices.Equal(got, tt.leaves) {
				t.Errorf("leaves() = %q, want %q", got, tt.leaves)
			}
			if got := res.failures(); !slices.Equal(got, tt.failures) {
				t.Errorf("failures() = %q, want %q", got, tt.failures)
			}
			if !strings.HasPrefix(res.Problem, tt.problem) || tt.problem == "" && res.Problem != "" {
				t.Errorf("Problem = %q, want %q", res.Problem, tt.problem)
			}
			if res.NoBuild != tt.noBuild {
				t.Errorf("NoBuild = %v, want %v", res.NoBuild, tt.noBuild)
			}
			if want := tt.problem != "" && !tt.noBuild; res.aborted() != want {
				t.Errorf("aborted() = %v, want %v", res.aborted(), want)
			}
		})
	}
}

func TestParseEventsKeepsTheCompilersWords(t *testing.T) {
	if got, want := parseFile(t, "build").Output, "declared and not used: x"; !strings.Contains(got, want) {
		t.Errorf("Output = %q, want it to contain %q", got, want)
	}
}

func TestParseEventsKeepsOutputOfFailuresOnly(t *testing.T) {
	res := parseFile(t, "plain")
	if got, want := res.Tests["Test/F_x"].Output, "a_test.go:3: no"; !strings.Contains(got, want) {
		t.Errorf("output of the failing test = %q, want it to contain %q", got, want)
	}
	if got := res.Tests["Test/P"].Output; got != "" {
		t.Errorf("output of the passing test = %q, want none", got)
	}
}

func TestParseEventsCountsRepeatedRuns(t *testing.T) {
	in := strings.Repeat(`{"Action":"run","Package":"p","Test":"T"}
{"Action":"pass","Package":"p","Test":"T"}
`, 2) + `{"Action":"run","Package":"p","Test":"T"}
not JSON: left out
{"Action":"fail","Package":"p","Test":"T"}
{"Action":"output","Package":"p","Output":"FAIL\n"}
{"Action":"fail","Package":"p"}
`
	results, err := parseEvents(strings.NewReader(in), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := results["p"].Tests["T"]; got.Passed != 2 || got.Failed != 1 || got.ok() {
		t.Errorf("T = %+v, ok %v, want 2 passed, 1 failed, not ok", got, got.ok())
	}
}

func TestParseEventsRefusesBrokenJSON(t *testing.T) {
	if _, err := parseEvents(strings.NewReader("{\"Action\":\n"), nil); err == nil {
		t.Error("parseEvents of broken JSON = nil, want an error")
	}
}

func TestSeenLeavesOutWhatHasRun(t *testing.T) {
	// TestOK has run whole; of Test, A has and B ended the process.
	const want = `^Test$/^A$|^Test$/^B$|^TestOK$`
	if got := parseFile(t, "panicsub").seen(); got != want {
		t.Errorf("seen() = %s, want %s", got, want)
	}
}

func TestMergeKeepsTheFirstOutcome(t *testing.T) {
	first := parseFile(t, "panicsub")
	later := &pkgResult{Tests: map[string]*testResult{
		"Test":      {Passed: 1},
		"Test/C":    {Passed: 1},
		"TestLater": {Failed: 1},
	}}
	first.merge(later)
	want := []string{"Test/B", "TestLater"}
	if got := first.failures(); !slices.Equal(got, want) {
		t.Errorf("failures() after the restart = %q, want %q", got, want)
	}
	if first.Problem == "" {
		t.Error("merge lost the reason of the first end")
	}
}

func TestExactly(t *testing.T) {
	const want = `^Test$/^a\+b$|^TestB$`
	if got := exactly("Test/a+b", "TestB"); got != want {
		t.Errorf("exactly = %s, want %s", got, want)
	}
}
