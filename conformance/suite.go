package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// suite is the tests of one package, or those of them that match run.
type suite struct {
	pkg      string // import path
	dir      string
	run      string // as go test -run; empty for all
	internal string // name of the package that its own test files declare, or empty
	external string // name for an external test file
}

// name is how the user writes the package: ./balancer/lazy.
func (s *suite) name() string { return relName(s.pkg) }

func relName(pkg string) string {
	return "." + strings.TrimPrefix(pkg, grpcModule)
}

// prepare writes the generated files into the copy and returns the suites to
// run: the packages chosen whose test binaries contain an overridden policy.
func prepare(ctx context.Context, t *tree, ov *override, chosen []selection) ([]*suite, error) {
	if err := ov.write(t.dir); err != nil {
		return nil, err
	}
	out, err := goOutput(ctx, t.dir, "list", "-deps", "./"+overridePackage)
	if err != nil {
		return nil, err
	}
	overrideNeeds := strings.Fields(string(out))
	var suites []*suite
	for _, sel := range chosen {
		found, err := listSuites(ctx, t, ov, sel)
		if err != nil {
			return nil, err
		}
		suites = append(suites, found...)
	}
	if len(suites) == 0 {
		return nil, errors.New("conformance: no package with tests that contain an overridden policy")
	}
	for _, s := range suites {
		if err := ov.writeProofs(s, slices.Contains(overrideNeeds, s.pkg)); err != nil {
			return nil, err
		}
	}
	return suites, nil
}

// listed is what is read of go list's answer.
type listed struct {
	ImportPath, Dir, Name, ForTest string
	TestGoFiles, XTestGoFiles      []string
	Deps                           []string
}

func listSuites(ctx context.Context, t *tree, ov *override, sel selection) ([]*suite, error) {
	args := []string{"list", "-test", "-json=ImportPath,Dir,Name,ForTest,TestGoFiles,XTestGoFiles,Deps"}
	out, err := goOutput(ctx, t.dir, append(args, sel.patterns...)...)
	if err != nil {
		return nil, err
	}
	plain := map[string]listed{}
	var suites []*suite
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var l listed
		if err := dec.Decode(&l); errors.Is(err, io.EOF) {
			return suites, nil
		} else if err != nil {
			return nil, fmt.Errorf("conformance: go list -json: %w", err)
		}
		if l.ForTest == "" {
			plain[l.ImportPath] = l
		}
		// go list puts each test binary after its package.
		if of, ok := plain[strings.TrimSuffix(l.ImportPath, ".test")]; ok && l.Name == "main" && of.ImportPath != l.ImportPath {
			if contains(ov, of, l.Deps) {
				suites = append(suites, newSuite(of, sel.run))
			}
		}
	}
}

// contains tells whether a test binary has one of the packages that register
// what is overridden. One that has not cannot notice.
func contains(ov *override, of listed, deps []string) bool {
	for _, p := range ov.Plugins {
		if of.ImportPath == p.Builtin || slices.Contains(deps, p.Builtin) {
			return true
		}
		// Recompiled for the test, it is listed as "path [pkg.test]".
		if slices.ContainsFunc(deps, func(d string) bool { return strings.HasPrefix(d, p.Builtin+" ") }) {
			return true
		}
	}
	return false
}

func newSuite(l listed, run string) *suite {
	s := &suite{pkg: l.ImportPath, dir: l.Dir, run: run, external: l.Name + "_test"}
	if len(l.TestGoFiles) > 0 {
		s.internal = l.Name
	}
	return s
}
