package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxRestarts bounds how often the tests that are left are started again after
// one of them has ended the process.
const maxRestarts = 20

// aloneTimeout is enough for a few runs of one test of grpc's, whose contexts
// and leak check take up to 10 s each.
const aloneTimeout = 2 * time.Minute

// runner runs go test in the copy.
type runner struct {
	dir      string
	config   config
	progress io.Writer
}

// invocation is one go test command.
type invocation struct {
	pkgs     []string
	run      string
	skip     string
	count    int           // 0 is 1
	timeout  time.Duration // 0 is the configured one
	override bool
	silent   bool // no progress lines
}

func (r *runner) args(inv invocation) []string {
	args := []string{"test", "-json", "-vet=off", "-count=" + strconv.Itoa(max(1, inv.count)), "-timeout=" + cmp.Or(inv.timeout, r.config.timeout).String()}
	if r.config.race {
		args = append(args, "-race")
	}
	if r.config.parallel > 0 {
		args = append(args, "-p="+strconv.Itoa(r.config.parallel))
	}
	if inv.override {
		args = append(args, "-tags="+overrideTag)
	}
	if inv.run != "" {
		args = append(args, "-run="+inv.run)
	}
	if inv.skip != "" {
		args = append(args, "-skip="+inv.skip)
	}
	return append(args, inv.pkgs...)
}

// test runs one command. Failing tests are results, not an error.
func (r *runner) test(ctx context.Context, inv invocation) (map[string]*pkgResult, error) {
	cmd := goCommand(ctx, r.dir, r.args(inv)...)
	cmd.WaitDelay = 20 * time.Second
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("conformance: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("conformance: %w", err)
	}
	results, perr := parseEvents(stdout, func(pkg string, res *pkgResult) {
		if !inv.silent {
			logf(r.progress, "  %s", res.line(pkg))
		}
	})
	err = cmd.Wait()
	if ctx.Err() != nil {
		return nil, fmt.Errorf("conformance: %w", ctx.Err())
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		perr = errors.Join(perr, err)
	}
	for _, pkg := range inv.pkgs {
		if res := results[pkg]; perr == nil && (res == nil || !res.Passed && res.Problem == "" && !res.finished) {
			perr = fmt.Errorf("conformance: go test told nothing about %s: %s", pkg, lastBytes(&stderr))
		}
	}
	return results, perr
}

// testAll runs packages, and after a panic or a time-out what is left of each.
func (r *runner) testAll(ctx context.Context, inv invocation) (map[string]*pkgResult, error) {
	results, err := r.test(ctx, inv)
	if err != nil {
		return nil, err
	}
	for _, pkg := range inv.pkgs {
		last := results[pkg]
		for n := 0; last.aborted() && n < maxRestarts; n++ {
			rest := inv
			rest.pkgs = []string{pkg}
			rest.skip = joinPatterns(inv.skip, results[pkg].seen())
			again, err := r.test(ctx, rest)
			if err != nil {
				return nil, err
			}
			last = again[pkg]
			results[pkg].merge(last)
		}
	}
	return results, nil
}

// seen is a -skip pattern for the tests that need not run again after the
// process has ended early: those with an outcome and those that were running.
func (r *pkgResult) seen() string {
	var names []string
	hasChildren := map[string]bool{}
	for name := range r.Tests {
		hasChildren[parent(name)] = true
	}
	for name, t := range r.Tests {
		// The process may have ended in the middle of a test with subtests.
		whole := t.ok() || !hasChildren[name]
		switch strings.Count(name, "/") {
		case 0:
			if whole && name != proofTest {
				names = append(names, name)
			}
		case 1:
			if top := r.Tests[parent(name)]; top == nil || !top.ok() {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return exactly(names...)
}

// merge adds the results of a later start of the same package.
func (r *pkgResult) merge(later *pkgResult) {
	r.Elapsed += later.Elapsed
	for name, t := range later.Tests {
		old := r.Tests[name]
		switch {
		case old == nil || name == proofTest:
			r.Tests[name] = t
		case !old.ok() && t.ok() && r.onlyParent(name):
			// It was cut short: what counts is its subtests, each on its own.
			old.Passed, old.Failed = t.Passed, 0
		}
	}
}

// onlyParent tells whether name has subtests, so that its outcome is theirs.
func (r *pkgResult) onlyParent(name string) bool {
	for other := range r.Tests {
		if strings.HasPrefix(other, name+"/") {
			return true
		}
	}
	return false
}

// line is the progress line of a package.
func (r *pkgResult) line(pkg string) string {
	var passed, skipped int
	for _, name := range r.leaves() {
		switch t := r.Tests[name]; {
		case t.Failed > 0 || t.unfinished():
		case t.Passed > 0:
			passed++
		default:
			skipped++
		}
	}
	state := "ok  "
	if !r.Passed {
		state = "FAIL"
	}
	s := fmt.Sprintf("%s %-50s %4d passed %3d failed %3d skipped %6.1fs",
		state, relName(pkg), passed, len(r.failures()), skipped, r.Elapsed)
	if r.Problem != "" {
		s += "  " + r.Problem
	}
	return s
}

// exactly is a -run or -skip pattern that matches these tests and no others.
func exactly(names ...string) string {
	patterns := make([]string, 0, len(names))
	for _, n := range names {
		elems := strings.Split(n, "/")
		for i, e := range elems {
			elems[i] = "^" + regexp.QuoteMeta(e) + "$"
		}
		patterns = append(patterns, strings.Join(elems, "/"))
	}
	return strings.Join(patterns, "|")
}

func joinPatterns(patterns ...string) string {
	return strings.Join(slices.DeleteFunc(patterns, func(p string) bool { return p == "" }), "|")
}
