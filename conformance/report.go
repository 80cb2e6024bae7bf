package main

import (
	"fmt"
	"io"
	"regexp"
	"strings"
	"text/tabwriter"
	"time"
)

// report is the outcome of a run.
type report struct {
	rows        []*row
	differences []*difference
	notes       []string // what a reader may want to know and need not act on
	problems    []*problem
	skips       skipList
	elapsed     time.Duration
}

// problem is what makes a run worth less: an override without effect, a stale
// line in skips.txt.
type problem struct {
	text string
	pkgs []string // where
}

func (r *report) problem(text, pkg string) {
	for _, p := range r.problems {
		if p.text == text {
			p.pkgs = append(p.pkgs, pkg)
			return
		}
	}
	r.problems = append(r.problems, &problem{text, []string{pkg}})
}

func (r *report) notef(format string, args ...any) {
	r.notes = append(r.notes, fmt.Sprintf(format, args...))
}

func (r *report) has(pkg string) bool {
	for _, row := range r.rows {
		if row.suite.name() == pkg {
			return true
		}
	}
	return false
}

// count returns how many differences have the verdict.
func (r *report) count(v verdict) int {
	n := 0
	for _, d := range r.differences {
		if d.verdict == v {
			n++
		}
	}
	return n
}

// failed is the number of differences and of problems.
func (r *report) failed() int { return r.count(confirmed) + len(r.problems) }

func (r *report) exitStatus() int {
	if r.failed() > 0 {
		return 1
	}
	return 0
}

// write prints the table, what differs, and the totals as the last line.
func (r *report) write(w io.Writer, verbose bool) {
	var total row
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	logf(tw, "\npackage\ttests\tpassed in both\tdifferent\tskips.txt\tseconds\tbuilt")
	for _, row := range r.rows {
		logf(tw, "%s\t%d\t%d\t%d\t%d\t%.1f\t%s", row.suite.name(), row.tests, row.passed, r.in(row.suite), row.left, row.elapsed, row.built())
		total.tests += row.tests
		total.passed += row.passed
		total.skipped += row.skipped
		total.left += row.left
		total.elapsed += row.elapsed
	}
	logf(tw, "%d packages\t%d\t%d\t%d\t%d\t%.1f\t", len(r.rows), total.tests, total.passed, r.count(confirmed), total.left, total.elapsed)
	_ = tw.Flush()

	r.list(w, "differences", confirmed, verbose)
	r.list(w, "failed in the full run, passed alone", cleared, verbose)
	r.list(w, "failed alone in both", unstable, false)
	section(w, "notes", r.notes)
	var left []string
	for _, s := range r.skips {
		if r.has(s.pkg) {
			left = append(left, fmt.Sprintf("%s %s: %s", s.pkg, s.pattern, s.reason))
		}
	}
	section(w, "left out by skips.txt", left)
	var problems []string
	for _, p := range r.problems {
		problems = append(problems, fmt.Sprintf("%s\n      in %d packages: %s", p.text, len(p.pkgs), strings.Join(p.pkgs, " ")))
	}
	section(w, "PROBLEMS", problems)
	logf(w, "\n%s", r.elapsed.Round(time.Second))
	logf(w, "%d passed, %d failed, %d skipped", total.passed+r.clearedTests(), r.failed(), total.skipped+total.left)
}

func (r *report) in(s *suite) int {
	n := 0
	for _, d := range r.differences {
		if d.suite == s && d.verdict == confirmed {
			n++
		}
	}
	return n
}

// clearedTests are those that did not pass in the table and did alone.
func (r *report) clearedTests() int {
	n := 0
	for _, d := range r.differences {
		if d.verdict == cleared && d.test != "" {
			n++
		}
	}
	return n
}

func (r *report) list(w io.Writer, title string, v verdict, output bool) {
	var lines []string
	for _, d := range r.differences {
		if d.verdict != v {
			continue
		}
		line := d.name() + ": " + d.what
		if d.detail != "" {
			line += "; alone: " + d.detail
		}
		if why := reason(d.output); why != "" && !output {
			line += "\n      " + why
		}
		if output {
			line += "\n      " + strings.ReplaceAll(strings.TrimSpace(d.output), "\n", "\n      ")
		}
		lines = append(lines, line)
	}
	section(w, title, lines)
}

// complaint is a line of a test's own, not of what it logs for grpc.
var complaint = regexp.MustCompile(`(?m)^\s*\w+_test\.go:\d+: .*$`)

// reason is the last thing that a failing test said.
func reason(output string) string {
	all := complaint.FindAllString(output, -1)
	if len(all) == 0 {
		return ""
	}
	return strings.TrimSpace(all[len(all)-1])
}

func section(w io.Writer, title string, lines []string) {
	if len(lines) == 0 {
		return
	}
	logf(w, "\n%s:", title)
	for _, l := range lines {
		logf(w, "  %s", l)
	}
}

// built tells how often the package's tests built each policy.
func (r *row) built() string {
	var parts []string
	for _, p := range plugins {
		if n, ok := r.builds[p.Name]; ok {
			parts = append(parts, p.Name+" "+n)
		}
	}
	return strings.Join(parts, ", ")
}
