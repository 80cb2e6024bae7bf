package evenkeel_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	// A code block that names its file, so that it can be held against it.
	quoted = regexp.MustCompile("(?s)<!-- ([^ ]+\\.go) -->\n```go\n(.*?)```")
	link   = regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)
)

// forEachDoc calls f for every Markdown file of the repository.
func forEachDoc(t *testing.T, f func(t *testing.T, path, text string)) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".md" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		t.Run(path, func(t *testing.T) { f(t, path, string(text)) })
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestQuotedCodeIsTheFiles(t *testing.T) {
	found := 0
	forEachDoc(t, func(t *testing.T, _, text string) {
		t.Helper()
		for _, m := range quoted.FindAllStringSubmatch(text, -1) {
			found++
			code, err := os.ReadFile(m[1])
			if err != nil {
				t.Error(err)
				continue
			}
			if !strings.Contains(string(code), m[2]) {
				t.Errorf("the block quoted from %s is not in it", m[1])
			}
		}
	})
	if found < 3 {
		t.Errorf("quoted code blocks = %d, want at least 3: has their mark changed?", found)
	}
}

func TestLinksLeadSomewhere(t *testing.T) {
	forEachDoc(t, func(t *testing.T, path, text string) {
		t.Helper()
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), m[1])); err != nil {
				t.Errorf("link: %v", err)
			}
		}
	})
}
