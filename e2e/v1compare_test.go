package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evenkeel-grpc/evenkeel/internal/held"
)

// TestV1ScenarioOnV1291 changes the imports of balancers/v1adapter's scenario
// back, runs it on grpc v1.29.1, and holds what it says against what that
// package's tests take for v1.29.1's behaviour.
func TestV1ScenarioOnV1291(t *testing.T) {
	const adapter = "../balancers/v1adapter/"
	code := readFile(t, adapter+"scenario_test.go")
	for _, change := range [][2]string{
		{"package v1adapter_test", "package main"},
		{`"github.com/evenkeel-grpc/evenkeel/balancers/v1adapter"`, `"google.golang.org/grpc"`},
		{`"github.com/evenkeel-grpc/evenkeel/balancers/v1adapter/naming"`, `"google.golang.org/grpc/naming"`},
	} {
		if strings.Count(code, change[0]) != 1 {
			t.Fatalf("the scenario has %d times %s, want it once", strings.Count(code, change[0]), change[0])
		}
		code = strings.Replace(code, change[0], change[1], 1)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/v1compare")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "scenario.go"), []byte(code), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"run", "."}
	for range 4 { // It starts so many servers.
		args = append(args, held.Addr(t))
	}
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOWORK=off", "GOFLAGS=")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go run: %v\n%s", err, stderr.String())
	}
	if diff := cmp.Diff(readFile(t, adapter+"testdata/v1.29.1.txt"), string(out)); diff != "" {
		t.Errorf("v1.29.1 does something else (-recorded +now):\n%s", diff)
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
