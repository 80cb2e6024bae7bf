package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
)

// imports parses a generated file and returns its package name and imports.
func imports(t *testing.T, path string) (string, []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
	if err != nil {
		t.Fatalf("generated file: %v", err)
	}
	if !ast.IsGenerated(f) {
		t.Errorf("%s is not marked as generated", path)
	}
	var paths []string
	for _, i := range f.Imports {
		p, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, p)
	}
	return f.Name.Name, paths
}

func TestOverridePackageImports(t *testing.T) {
	feed := &override{overrideFeed, plugins}
	tests := []struct {
		name      string
		override  *override
		want, not string
	}{
		{"the feed takes scstate and no plugin", feed, ourModule + "/scstate", plugins[1].Import},
		{"plugins are imported", &override{overridePlugins, plugins[1:]}, plugins[1].Import, plugins[0].Import},
		{"the built-in is imported, so that it registers first", feed, plugins[0].Builtin, plugins[0].Import},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := tt.override.write(dir); err != nil {
				t.Fatal(err)
			}
			_, got := imports(t, filepath.Join(dir, overridePackage, "override.go"))
			if !slices.Contains(got, tt.want) || slices.Contains(got, tt.not) {
				t.Errorf("imports = %q, want %s and not %s", got, tt.want, tt.not)
			}
		})
	}
}

func TestProofFiles(t *testing.T) {
	tests := []struct {
		name  string
		suite suite
		cycle bool
		want  map[string]string // file to package
	}{
		{"a package with tests of its own", suite{internal: "lazy", external: "lazy_test"}, false,
			map[string]string{"zz_evenkeel_test.go": "lazy", "zz_evenkeel_ext_test.go": "lazy_test"}},
		{"one that the override needs", suite{internal: "base", external: "base_test"}, true,
			map[string]string{"zz_evenkeel_ext_test.go": "base_test"}},
		{"external tests only", suite{external: "xds_test"}, false,
			map[string]string{"zz_evenkeel_ext_test.go": "xds_test"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.suite.dir = t.TempDir()
			if err := (&override{Kind: overrideFeed}).writeProofs(&tt.suite, tt.cycle); err != nil {
				t.Fatal(err)
			}
			files, err := os.ReadDir(tt.suite.dir)
			if err != nil {
				t.Fatal(err)
			}
			if len(files) != len(tt.want) {
				t.Errorf("files = %v, want %v", files, tt.want)
			}
			for file, want := range tt.want {
				if got, _ := imports(t, filepath.Join(tt.suite.dir, file)); got != want {
					t.Errorf("package of %s = %s, want %s", file, got, want)
				}
			}
		})
	}
}

func TestNewOverrideTakesThePluginsThatExist(t *testing.T) {
	repo := t.TempDir()
	if _, err := newOverride(overridePlugins, repo); err == nil {
		t.Error("newOverride without plugins = nil, want an error")
	}
	dir := filepath.Join(repo, "balancers", "roundrobin")
	if err := os.MkdirAll(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "doc.go"), []byte("package roundrobin\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ov, err := newOverride(overridePlugins, repo)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := ov.String(), "round_robin"; got != want {
		t.Errorf("overridden = %s, want %s", got, want)
	}
}
