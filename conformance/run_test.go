package main

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// sample is a module whose tests differ with the override, in every way.
var sample = map[string]string{
	"go.mod": "module tj\n\ngo 1.26\n",
	"mode_test.go": `//go:build !evenkeel_conformance

package tj

const override = false
`,
	"override_test.go": `//go:build evenkeel_conformance

package tj

import "testing"

const override = true

func TestEvenkeelOverride(t *testing.T) {
	t.Log("evenkeel-override name=round_robin builder=x builds=3")
}
`,
	"tj_test.go": `package tj

import (
	"os"
	"testing"
)

func once(t *testing.T) {
	if _, err := os.Stat("ran-" + t.Name()); err == nil || !override {
		return
	}
	os.WriteFile("ran-"+t.Name(), nil, 0o600)
	t.Error("fails the first time")
}

func TestFails(t *testing.T) {
	if override {
		t.Error("differs")
	}
}

func TestFlaky(t *testing.T) { once(t) }

func TestPanics(t *testing.T) {
	if override {
		panic("boom")
	}
}

func TestSame(t *testing.T) { t.Run("sub", func(t *testing.T) {}) }
`,
}

// TestCompareSample runs go test on the sample both ways.
func TestCompareSample(t *testing.T) {
	dir := t.TempDir()
	for name, text := range sample {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := &runner{dir: dir, progress: io.Discard, config: config{reruns: 2, timeout: time.Minute}}
	s := &suite{pkg: "tj", dir: dir}
	noSkips := func(*suite) string { return "" }
	base, err := r.runSuites(t.Context(), []*suite{s}, false, noSkips)
	if err != nil {
		t.Fatal(err)
	}
	over, err := r.runSuites(t.Context(), []*suite{s}, true, noSkips)
	if err != nil {
		t.Fatal(err)
	}
	rep := compare([]*suite{s}, base, over, nil)
	if err := r.confirm(t.Context(), rep); err != nil {
		t.Fatal(err)
	}

	want := map[string]verdict{"TestFails": confirmed, "TestFlaky": cleared, "TestPanics": confirmed, "": confirmed}
	if got := len(rep.differences); got != len(want) {
		t.Errorf("%d differences, want %d", got, len(want))
	}
	for _, d := range rep.differences {
		if v, ok := want[d.test]; !ok || d.verdict != v {
			t.Errorf("%s = verdict %d (%s; %s), want %d", d.name(), d.verdict, d.what, d.detail, v)
		}
	}
	if len(rep.problems) > 0 {
		t.Errorf("problems = %+v, want none", rep.problems[0])
	}
	// It comes after the panic, so in the second process.
	if got := over[s].leaves(); !slices.Contains(got, "TestSame/sub") {
		t.Errorf("tests with the override = %q, want TestSame/sub among them", got)
	}
	if got := rep.rows[0].builds["round_robin"]; got != "3" {
		t.Errorf("builds of round_robin = %q, want 3", got)
	}
}

func TestTally(t *testing.T) {
	died := outcomes("Test/A")
	died.Passed = false
	tests := []struct {
		name string
		res  *pkgResult
		want string
	}{
		{"passed once, as examples do", outcomes("Test/A"), "failed 0 of 1 times"},
		{"failed", outcomes("-Test/A"), "failed 1 of 1 times"},
		{"was running when the process ended", outcomes("!Test/A"), "failed 1 of 1 times"},
		{"passed once, then the process ended", died, "failed 1 of 2 times"},
		{"did not start", outcomes(), "failed 1 of 1 times"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tally(tt.res, "Test/A").String(); got != tt.want {
				t.Errorf("tally = %s, want %s", got, tt.want)
			}
		})
	}
}
