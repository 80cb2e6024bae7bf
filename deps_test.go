package evenkeel_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestPluginsDragInOnlyTheirOwn keeps a program that imports one plugin from
// compiling what the others need.
func TestPluginsDragInOnlyTheirOwn(t *testing.T) {
	for pkg, foreign := range map[string][]string{
		"./balancers/roundrobin": {"go.etcd.io/", "github.com/hashicorp/", "go.uber.org/"},
		"./balancers/pickfirst":  {"go.etcd.io/", "github.com/hashicorp/", "go.uber.org/"},
		"./balancers/v1adapter":  {"go.etcd.io/", "github.com/hashicorp/", "go.uber.org/", "golang.org/x/net/dns/"},
		"./registry":             {"go.etcd.io/", "github.com/hashicorp/", "go.uber.org/"},
		"./resolvers/consul":     {"go.etcd.io/", "go.uber.org/", "github.com/miekg/"},
		"./resolvers/dns":        {"go.etcd.io/", "github.com/hashicorp/", "go.uber.org/"},
		"./resolvers/etcd":       {"github.com/hashicorp/", "github.com/miekg/"},
		".":                      {"go.etcd.io/", "github.com/hashicorp/", "go.uber.org/", "github.com/miekg/", "github.com/evenkeel-grpc/evenkeel/balancers/"},
	} {
		t.Run(pkg, func(t *testing.T) {
			for _, d := range deps(t, pkg) {
				for _, f := range foreign {
					if strings.HasPrefix(d, f) {
						t.Errorf("%s compiles %s", pkg, d)
					}
				}
			}
		})
	}
}

// TestPluginsInitialiseBeforeGRPC keeps pick_first in time for the init of
// package grpc, which looks it up for channels without a service config. Go
// initialises the first package, by import path, whose imports are done: ours are
// before google.golang.org/grpc if they import nothing that grpc does not.
func TestPluginsInitialiseBeforeGRPC(t *testing.T) {
	grpcs := deps(t, "google.golang.org/grpc")
	for _, pkg := range []string{"./registry", "./balancers/pickfirst", "./balancers/roundrobin"} {
		for _, d := range deps(t, pkg) {
			if d == "google.golang.org/grpc" {
				t.Errorf("%s imports %s, which is then initialised first", pkg, d)
			}
			if !slices.Contains(grpcs, d) && d > "google.golang.org/grpc" {
				t.Errorf("%s imports %s, which may be initialised after package grpc", pkg, d)
			}
		}
	}
}

// deps returns the import paths of a package and of all that it imports.
func deps(t *testing.T, pkg string) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", pkg).Output()
	if err != nil {
		t.Fatalf("go list -deps %s: %v", pkg, err)
	}
	list := strings.Fields(string(out))
	if len(list) < 50 {
		t.Fatalf("go list -deps %s found %d packages, want grpc's among them", pkg, len(list))
	}
	return list
}
