package main

import (
	"bytes"
	"fmt"
	"go/format"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
)

const (
	overrideFeed    = "feed"
	overridePlugins = "plugins"

	// overrideTag makes a test binary use the override. Without it the copy's
	// tests are the baseline.
	overrideTag = "evenkeel_conformance"
	// overridePackage is generated into the copy.
	overridePackage = "internal/evenkeelconformance"
	// proofTest is generated into each package.
	proofTest = "TestEvenkeelOverride"
)

// plugin is one row of the table of what can replace a policy or resolver of
// grpc-go's.
type plugin struct {
	Name     string // in the service config, or the scheme
	Builtin  string // grpc-go's package, which registers the name
	Import   string // ours
	Resolver bool   // or else it is a policy
}

var plugins = []plugin{
	{Name: "pick_first", Builtin: grpcModule + "/balancer/pickfirst", Import: ourModule + "/balancers/pickfirst"},
	{Name: "round_robin", Builtin: grpcModule + "/balancer/roundrobin", Import: ourModule + "/balancers/roundrobin"},
	{Name: "dns", Builtin: grpcModule + "/internal/resolver/dns", Import: ourModule + "/resolvers/dns", Resolver: true},
}

// override is what takes the place of grpc-go's policies in one run.
type override struct {
	Kind    string
	Plugins []plugin // those overridden
}

// newOverride takes, for the plugins, those that the checkout has, and for the
// feed the policies.
func newOverride(kind, repo string) (*override, error) {
	ov := &override{Kind: kind}
	for _, p := range plugins {
		dir := filepath.Join(repo, filepath.FromSlash(strings.TrimPrefix(p.Import, ourModule+"/")))
		if files, _ := filepath.Glob(filepath.Join(dir, "*.go")); kind == overrideFeed && !p.Resolver || kind == overridePlugins && len(files) > 0 {
			ov.Plugins = append(ov.Plugins, p)
		}
	}
	if len(ov.Plugins) == 0 {
		return nil, fmt.Errorf("conformance: -override=%s: none of the plugins exists in %s", kind, repo)
	}
	return ov, nil
}

func (o *override) String() string {
	var names []string
	for _, p := range o.Plugins {
		names = append(names, p.Name)
	}
	return strings.Join(names, ", ")
}

// Feed is for the template.
func (o *override) Feed() bool { return o.Kind == overrideFeed }

// Policies are those of the plugins that are policies.
func (o *override) Policies() []plugin { return o.only(false) }

// Resolvers are those of the plugins that are no policies.
func (o *override) Resolvers() []plugin { return o.only(true) }

func (o *override) only(resolvers bool) []plugin {
	return slices.DeleteFunc(slices.Clone(o.Plugins), func(p plugin) bool { return p.Resolver != resolvers })
}

// write generates the package that does the overriding into the copy.
func (o *override) write(dir string) error {
	return generate(filepath.Join(dir, filepath.FromSlash(overridePackage), "override.go"), overrideTemplate, o)
}

// proof is what one generated test file needs.
type proof struct {
	Tag, Package, Import string
	Test                 string // empty in a file that only imports
}

// writeProofs makes s's test binary import the override and prove it. The
// package's own tests import it too, unless that were a cycle, so that variables
// which look a policy up are initialised later.
func (o *override) writeProofs(s *suite, cycle bool) error {
	p := proof{Tag: overrideTag, Import: grpcModule + "/" + overridePackage, Test: proofTest, Package: s.external}
	if err := generate(filepath.Join(s.dir, "zz_evenkeel_ext_test.go"), proofTemplate, p); err != nil {
		return err
	}
	if s.internal == "" || cycle {
		return nil
	}
	p.Package, p.Test = s.internal, ""
	return generate(filepath.Join(s.dir, "zz_evenkeel_test.go"), proofTemplate, p)
}

func generate(path string, t *template.Template, data any) error {
	var b bytes.Buffer
	if err := t.Execute(&b, data); err != nil {
		return fmt.Errorf("conformance: generating %s: %w", path, err)
	}
	code, err := format.Source(b.Bytes())
	if err != nil {
		return fmt.Errorf("conformance: generating %s: %w", path, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return fmt.Errorf("conformance: %w", err)
	}
	if err := os.WriteFile(path, code, 0o600); err != nil {
		return fmt.Errorf("conformance: %w", err)
	}
	return nil
}
