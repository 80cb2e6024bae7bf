package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseFlagsErrors(t *testing.T) {
	tests := []struct{ name, args, want string }{
		{"unknown override", "-override=plugin", `-override="plugin"`},
		{"two selections", "-quick -full", "want one of"},
		{"a pattern without a package", "-run Test/A", "list of packages"},
		{"unknown flag", "-fast", "not defined"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parseFlags(strings.Fields(tt.args), io.Discard)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("parseFlags(%s) = %v, want an error with %q", tt.args, err, tt.want)
			}
		})
	}
}

func TestFindRepo(t *testing.T) {
	repo := t.TempDir()
	sub := filepath.Join(repo, "conformance")
	for file, text := range map[string]string{
		"go.mod":             "module " + ourModule + "\n",
		"conformance/go.mod": "module " + ourModule + "/conformance\n",
	} {
		path := filepath.Join(repo, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(sub)
	if got, err := findRepo(""); err != nil || got != repo {
		t.Errorf("findRepo in a folder of it = %q, %v, want %q", got, err, repo)
	}
	if _, err := findRepo(sub); err == nil {
		t.Error("findRepo of another module = nil, want an error")
	}
}
