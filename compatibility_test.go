package evenkeel_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	declared = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	named    = regexp.MustCompile("`((?:Test|Fuzz)\\w+)`")
	// A test of the parity list carries ids: TestB7B8B9OrderOfAttempts.
	numbered = regexp.MustCompile(`^Test(Defect)?[A-H]\d`)
	row      = regexp.MustCompile(`(?m)^\| ([A-H]\d+) \| .+ \| .+ \|$`)
)

// testsIn returns the names of the tests and fuzz targets under a folder.
func testsIn(t *testing.T, dir string) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		code, err := os.ReadFile(path)
		for _, m := range declared.FindAllStringSubmatch(string(code), -1) {
			found[m[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestDocsNameTestsThatExist(t *testing.T) {
	have, mentions := testsIn(t, "."), 0
	forEachDoc(t, func(t *testing.T, _, text string) {
		t.Helper()
		for _, m := range named.FindAllStringSubmatch(text, -1) {
			if mentions++; !have[m[1]] {
				t.Errorf("there is no %s", m[1])
			}
		}
	})
	if mentions < 100 {
		t.Errorf("tests mentioned = %d, want at least 100: has their mark changed?", mentions)
	}
}

func TestCompatibilityListIsComplete(t *testing.T) {
	text, err := os.ReadFile("docs/compatibility.md")
	if err != nil {
		t.Fatal(err)
	}
	_, list, ok := strings.Cut(string(text), "## The whole list")
	if !ok {
		t.Fatal("docs/compatibility.md has no list")
	}
	for name := range testsIn(t, "balancers/internal/parity") {
		if numbered.MatchString(name) && !strings.Contains(string(text), "`"+name+"`") {
			t.Errorf("docs/compatibility.md does not mention %s", name)
		}
	}
	var ids []string
	for _, m := range row.FindAllStringSubmatch(list, -1) {
		ids = append(ids, m[1])
	}
	var want []string
	for i, n := range []int{11, 14, 14, 10, 18, 18, 6, 5} {
		for j := range n {
			want = append(want, fmt.Sprint(string(rune('A'+i)), j+1))
		}
	}
	if !slices.Equal(ids, want) {
		t.Errorf("the list's ids are\n\t%v\nwant\n\t%v", ids, want)
	}
}
