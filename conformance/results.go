package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

// event is one line of go test -json.
type event struct {
	Action      string
	Package     string
	Test        string
	Output      string
	ImportPath  string // of a build-output event
	FailedBuild string
	Elapsed     float64
}

// testResult counts the outcomes of one test, which -count may run repeatedly.
// A test that started and has no outcome was running when its process ended.
type testResult struct {
	Passed, Failed, Skipped int
	Output                  string `json:",omitempty"` // kept only if it did not pass
}

func (t *testResult) unfinished() bool { return t.Passed+t.Failed+t.Skipped == 0 }
func (t *testResult) ok() bool         { return t.Failed == 0 && !t.unfinished() }

// pkgResult is the outcome of one package's tests.
type pkgResult struct {
	Passed  bool
	Elapsed float64
	// Problem says why the process ended before the last test; empty if it did not.
	Problem string                 `json:",omitempty"`
	NoBuild bool                   `json:",omitempty"`
	Tests   map[string]*testResult `json:",omitempty"`
	Output  string                 `json:",omitempty"`
	// Cleared are the tests that failed here and passed when run alone.
	Cleared []string `json:",omitempty"`

	finished bool // the test binary reported PASS or FAIL itself
}

const outputLimit = 16 << 10

// noise is output that says nothing about a failure.
var noise = regexp.MustCompile(`^=== |tlogger\.go:\d+: INFO |^\s+--- PASS`)

// dying is the line that tells why a test process ended.
var dying = regexp.MustCompile(`^(panic|fatal error): .*`)

// parseEvents reads the output of go test -json and calls done for each package
// when its last event has come.
func parseEvents(r io.Reader, done func(pkg string, res *pkgResult)) (map[string]*pkgResult, error) {
	p := eventParser{results: map[string]*pkgResult{}, builds: map[string]string{}}
	br := bufio.NewReader(r)
	for {
		line, err := br.ReadBytes('\n')
		if len(line) > 0 && line[0] == '{' {
			var e event
			if jerr := json.Unmarshal(line, &e); jerr != nil {
				return p.results, fmt.Errorf("conformance: go test -json: %w in %q", jerr, line)
			}
			if p.add(e) && done != nil {
				done(e.Package, p.results[e.Package])
			}
		}
		if err == io.EOF {
			return p.results, nil
		}
		if err != nil {
			return p.results, fmt.Errorf("conformance: go test -json: %w", err)
		}
	}
}

// eventParser collects the events of one go test.
type eventParser struct {
	results map[string]*pkgResult
	builds  map[string]string // build output by import path
}

// add reports whether e is the last event of its package.
func (p *eventParser) add(e event) bool {
	if e.Action == "build-output" {
		p.builds[e.ImportPath] += e.Output
	}
	if e.Package == "" {
		return false
	}
	res := p.results[e.Package]
	if res == nil {
		res = &pkgResult{Tests: map[string]*testResult{}}
		p.results[e.Package] = res
	}
	if e.Test != "" {
		res.addTest(e)
		return false
	}
	switch e.Action {
	case "output":
		res.finished = res.finished || e.Output == "PASS\n" || e.Output == "FAIL\n"
		res.note(&res.Output, e.Output)
	case "pass", "fail", "skip":
		res.end(e, p.builds)
		return true
	}
	return false
}

func (r *pkgResult) addTest(e event) {
	t := r.Tests[e.Test]
	if t == nil {
		t = &testResult{}
		r.Tests[e.Test] = t
	}
	switch e.Action {
	case "pass":
		t.Passed++
		if t.Failed == 0 && e.Test != proofTest {
			t.Output = ""
		}
	case "fail":
		t.Failed++
	case "skip":
		t.Skipped++
	case "output":
		r.note(&t.Output, e.Output)
	}
}

// note keeps a line of output and looks for why the process dies.
func (r *pkgResult) note(to *string, line string) {
	if m := dying.FindString(line); m != "" && r.Problem == "" {
		r.Problem = m
	}
	if !noise.MatchString(line) && len(*to)+len(line) < outputLimit {
		*to += line
	}
}

func (r *pkgResult) end(e event, builds map[string]string) {
	r.Passed = e.Action != "fail"
	r.Elapsed = e.Elapsed
	switch {
	case r.Passed || r.finished:
		r.Problem = "" // A test may well log a line that looks like a panic.
	case e.FailedBuild != "":
		r.NoBuild = true
		r.Problem = "does not build"
		r.Output = builds[e.FailedBuild] + r.Output
	case r.Problem == "":
		r.Problem = "ended early: " + strings.TrimSpace(r.Output)
	}
}

// aborted tells whether tests may be missing because the process ended early.
func (r *pkgResult) aborted() bool { return r.Problem != "" && !r.NoBuild }

// timedOut tells whether the reason was the time limit.
func (r *pkgResult) timedOut() bool { return strings.HasPrefix(r.Problem, "panic: test timed out") }

// leaves are the tests without subtests, sorted; the harness's own is left out.
func (r *pkgResult) leaves() []string {
	return r.deepest(func(*testResult) bool { return true })
}

// failures are the tests that failed or did not finish, without those that only
// have a subtest that did.
func (r *pkgResult) failures() []string {
	return r.deepest(func(t *testResult) bool { return !t.ok() })
}

// deepest returns the tests that match, without those above one that matches.
func (r *pkgResult) deepest(match func(*testResult) bool) []string {
	above := map[string]bool{}
	var names []string
	for name, t := range r.Tests {
		if name == proofTest || !match(t) {
			continue
		}
		names = append(names, name)
		for p := parent(name); p != ""; p = parent(p) {
			above[p] = true
		}
	}
	names = slices.DeleteFunc(names, func(n string) bool { return above[n] })
	slices.Sort(names)
	return names
}

// parent returns the test that name is a subtest of, or "".
func parent(name string) string {
	return name[:max(0, strings.LastIndexByte(name, '/'))]
}
