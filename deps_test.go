package evenkeel_test

import (
	"os/exec"
	"strings"
	"testing"
)

// TestPluginsDragInOnlyTheirOwn keeps a program that imports one plugin from
// compiling what the others need.
func TestPluginsDragInOnlyTheirOwn(t *testing.T) {
	for pkg, foreign := range map[string][]string{
		"./balancers/roundrobin": {"go.etcd.io/", "github.com/hashicorp/", "go.uber.org/"},
		"./balancers/pickfirst":  {"go.etcd.io/", "github.com/hashicorp/", "go.uber.org/"},
		"./registry":             {"go.etcd.io/", "github.com/hashicorp/", "go.uber.org/"},
		"./resolvers/etcd":       {"github.com/hashicorp/"},
		".":                      {"go.etcd.io/", "github.com/hashicorp/", "go.uber.org/"},
	} {
		t.Run(pkg, func(t *testing.T) {
			out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", pkg).Output()
			if err != nil {
				t.Fatalf("go list -deps %s: %v", pkg, err)
			}
			deps := strings.Fields(string(out))
			if len(deps) < 50 {
				t.Fatalf("go list -deps %s found %d packages, want grpc's among them", pkg, len(deps))
			}
			for _, d := range deps {
				for _, f := range foreign {
					if strings.HasPrefix(d, f) {
						t.Errorf("%s compiles %s", pkg, d)
					}
				}
			}
		})
	}
}
