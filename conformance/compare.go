package main

import (
	"context"
	"fmt"
	"regexp"
)

// verdict is what came of running a test again, alone.
type verdict int

const (
	confirmed verdict = iota // it fails with the override only
	cleared                  // it passed every time
	unstable                 // it failed without the override too
)

// difference is a test that passes in the baseline and does not with the
// override.
type difference struct {
	suite   *suite
	test    string // empty for the package as a whole
	what    string
	output  string
	verdict verdict
	detail  string // how the reruns went
}

func (d *difference) name() string {
	if d.test == "" {
		return d.suite.name()
	}
	return d.suite.name() + " " + d.test
}

// row is one package in the report.
type row struct {
	suite   *suite
	tests   int // run with the override; tests with subtests are not counted
	passed  int // in both
	skipped int // by the test itself
	left    int // left out by skips.txt
	builds  map[string]string
	elapsed float64
}

// compare finds, suite by suite, what the override changes.
func compare(suites []*suite, base, over outcome, skips skipList) *report {
	rep := &report{skips: skips}
	used := make([]bool, len(skips))
	for _, s := range suites {
		c := comparison{suite: s, base: base[s], over: over[s], skips: skips, report: rep}
		c.run()
		for i := range skips {
			if skips[i].pkg == s.name() && (s.run != "" || c.leavesOut(&skips[i])) {
				used[i] = true
			}
		}
	}
	for i := range skips {
		if !used[i] && rep.has(skips[i].pkg) {
			rep.problem("skips.txt: "+skips[i].pattern+" matches no test", skips[i].pkg)
		}
	}
	return rep
}

// comparison is the work on one suite.
type comparison struct {
	suite      *suite
	base, over *pkgResult
	skips      skipList
	report     *report
}

func (c *comparison) run() {
	name := c.suite.name()
	r := &row{suite: c.suite, builds: map[string]string{}, elapsed: c.over.Elapsed}
	c.report.rows = append(c.report.rows, r)
	c.prove(r)
	for _, test := range c.base.Cleared {
		c.report.notef("%s %s: fails in the baseline's run, passed alone", name, test)
	}
	for _, test := range c.base.failures() {
		if t := c.over.Tests[test]; t != nil && t.ok() {
			c.report.notef("%s %s: fails without the override only", name, test)
		}
	}
	for _, test := range c.base.leaves() {
		if c.skips.find(name, test) != nil {
			r.left++
		}
	}
	if c.over.NoBuild {
		c.differ("", "does not build", c.over.Output)
		return
	}
	for _, test := range c.over.leaves() {
		t := c.over.Tests[test]
		r.tests++
		switch {
		case t.Passed > 0 && t.ok() && c.passesInBase(test):
			r.passed++
		case t.Skipped > 0:
			r.skipped++
		}
	}
	c.failures()
	c.missing()
}

var (
	proofError   = regexp.MustCompile(`evenkeel-proof: (.+)`)
	proofLine    = regexp.MustCompile(`evenkeel-override name=(\S+) builder=\S+ builds=(\d+)`)
	replacedLine = regexp.MustCompile(`evenkeel-replaced name=(\S+): (.+)`)
)

// prove reads the harness's own test.
func (c *comparison) prove(r *row) {
	t := c.over.Tests[proofTest]
	switch {
	case c.over.NoBuild:
		return
	case t == nil || t.unfinished():
		c.report.problem("the proof of the override did not run", c.suite.name())
		return
	case !t.ok():
		said := proofError.FindAllStringSubmatch(t.Output, -1)
		if said == nil {
			said = [][]string{{"", "the proof of the override failed: " + t.Output}}
		}
		for _, m := range said {
			c.report.problem(m[1], c.suite.name())
		}
	}
	for _, m := range replacedLine.FindAllStringSubmatch(t.Output, -1) {
		c.report.notef("%s: %s is not the override at the end: replaced %s", c.suite.name(), m[1], m[2])
	}
	for _, m := range proofLine.FindAllStringSubmatch(t.Output, -1) {
		r.builds[m[1]] = m[2]
	}
}

// failures reports what fails with the override.
func (c *comparison) failures() {
	names := c.over.failures()
	for _, test := range names {
		t := c.over.Tests[test]
		switch {
		case !c.passesInBase(test):
			c.report.notef("%s %s: fails in both", c.suite.name(), test)
		case t.unfinished():
			c.differ(test, "was running at: "+c.over.Problem, t.Output)
		default:
			c.differ(test, "fails", t.Output)
		}
	}
	switch {
	case c.over.timedOut():
		c.report.notef("%s: %s; the tests left were run in another process", c.suite.name(), c.over.Problem)
	case c.over.Problem != "" && c.base.Problem == "":
		c.differ("", c.over.Problem, c.over.Output)
	case !c.over.Passed && c.over.Problem == "" && len(names) == 0 && c.base.Passed && c.proven():
		c.differ("", "fails without a failing test", c.over.Output)
	}
}

func (c *comparison) proven() bool {
	t := c.over.Tests[proofTest]
	return t != nil && t.ok()
}

// passesInBase tells whether the baseline has no failure in the test; a test
// that it does not have counts as the one above it does.
func (c *comparison) passesInBase(test string) bool {
	for at := test; at != ""; at = parent(at) {
		if t := c.base.Tests[at]; t != nil {
			return t.ok()
		}
	}
	return true
}

// missing reports tests of the baseline that never started.
func (c *comparison) missing() {
	failing := map[string]bool{}
	for _, test := range c.over.failures() {
		failing[test] = true
	}
	for _, test := range c.base.leaves() {
		if c.over.Tests[test] != nil || !c.base.Tests[test].ok() || c.skips.find(c.suite.name(), test) != nil {
			continue
		}
		explained := false
		for at := parent(test); at != ""; at = parent(at) {
			// Below a test that passes, the names differ from run to run.
			t := c.over.Tests[at]
			explained = explained || failing[at] || t != nil && t.ok()
		}
		if !explained {
			c.differ(test, "does not run", "")
		}
	}
}

func (c *comparison) differ(test, what, output string) {
	c.report.differences = append(c.report.differences,
		&difference{suite: c.suite, test: test, what: what, output: output})
}

// leavesOut tells whether the line matches a test of the suite.
func (c *comparison) leavesOut(s *skip) bool {
	for test := range c.base.Tests {
		if s.matches(test) {
			return true
		}
	}
	return false
}

// confirm runs each difference again, alone: with the override, and if it fails
// there, without.
func (r *runner) confirm(ctx context.Context, rep *report) error {
	if r.config.reruns == 0 {
		return nil
	}
	for _, d := range rep.differences {
		if err := r.confirmOne(ctx, d, rep.skips); err != nil {
			return err
		}
		logf(r.progress, "  again, alone: %s: %s", d.name(), d.detail)
	}
	return nil
}

func (r *runner) confirmOne(ctx context.Context, d *difference, skips skipList) error {
	if d.test == "" {
		return r.confirmPackage(ctx, d, skips)
	}
	with, err := r.alone(ctx, d.suite, d.test, true)
	if err != nil {
		return err
	}
	d.detail = with.String()
	if with.failed == 0 {
		d.verdict = cleared
		return nil
	}
	d.output = with.output
	without, err := r.alone(ctx, d.suite, d.test, false)
	if err != nil {
		return err
	}
	d.detail += fmt.Sprintf(", without the override %v", without)
	if without.failed > 0 {
		d.verdict = unstable
	}
	return nil
}

// confirmPackage runs the whole package again, by itself.
func (r *runner) confirmPackage(ctx context.Context, d *difference, skips skipList) error {
	results, err := r.test(ctx, invocation{
		pkgs: []string{d.suite.pkg}, run: d.suite.run, skip: skips.pattern(d.suite.name()), override: true, silent: true,
	})
	if err != nil {
		return err
	}
	d.detail = "failed again"
	if res := results[d.suite.pkg]; res.Problem == "" {
		d.verdict, d.detail = cleared, "ran to its end"
	}
	return nil
}
