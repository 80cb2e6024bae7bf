package main

import (
	_ "embed"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// skipFile lists the tests that are not run with the override.
//
//go:embed skips.txt
var skipFile string

// skip is one line of the file.
type skip struct {
	override string // what it applies to: feed, plugins, or a policy that a plugin replaces
	pkg      string // ./balancer/lazy
	pattern  string // as go test -run, each element anchored
	reason   string
	match    []*regexp.Regexp // the pattern's elements
}

type skipList []skip

// parseSkips reads lines of four fields: override, package, pattern, reason.
func parseSkips(text string) (skipList, error) {
	var list skipList
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Fields(line)
		if len(f) < 4 {
			return nil, fmt.Errorf("conformance: skips.txt:%d: %q: want override, package, pattern and reason", n, line)
		}
		s := skip{override: f[0], pkg: f[1], reason: strings.Join(f[3:], " ")}
		if !knownOverride(s.override) {
			return nil, fmt.Errorf("conformance: skips.txt:%d: override %q: want feed, plugins or a policy of the plugin table", n, s.override)
		}
		if err := s.compile(f[2]); err != nil {
			return nil, fmt.Errorf("conformance: skips.txt:%d: %w", n, err)
		}
		list = append(list, s)
	}
	return list, nil
}

func knownOverride(name string) bool {
	return name == overrideFeed || name == overridePlugins ||
		slices.ContainsFunc(plugins, func(p plugin) bool { return p.Name == name })
}

func (s *skip) compile(pattern string) error {
	elems := strings.Split(pattern, "/")
	for i, e := range elems {
		elems[i] = "^(" + e + ")$"
		re, err := regexp.Compile(elems[i])
		if err != nil {
			return fmt.Errorf("pattern %q: %w", pattern, err)
		}
		s.match = append(s.match, re)
	}
	s.pattern = strings.Join(elems, "/")
	return nil
}

// matches tells whether s leaves out the test, or a test above it.
func (s *skip) matches(test string) bool {
	elems := strings.Split(test, "/")
	if len(elems) < len(s.match) {
		return false
	}
	for i, re := range s.match {
		if !re.MatchString(elems[i]) {
			return false
		}
	}
	return true
}

// forOverride returns the lines that apply to ov.
func (l skipList) forOverride(ov *override) skipList {
	return slices.DeleteFunc(slices.Clone(l), func(s skip) bool {
		replaced := !ov.Feed() && slices.ContainsFunc(ov.Plugins, func(p plugin) bool { return p.Name == s.override })
		return s.override != ov.Kind && !replaced
	})
}

// pattern is the argument of -skip for a package.
func (l skipList) pattern(pkg string) string {
	var all []string
	for _, s := range l {
		if s.pkg == pkg {
			all = append(all, s.pattern)
		}
	}
	return joinPatterns(all...)
}

// find returns the line that leaves out the test, or nil.
func (l skipList) find(pkg, test string) *skip {
	for i := range l {
		if l[i].pkg == pkg && l[i].matches(test) {
			return &l[i]
		}
	}
	return nil
}
