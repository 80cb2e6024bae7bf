package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// baseline is the cache of what grpc's tests do without an override: one file
// per suite, in a directory per version of everything that they depend on.
type baseline struct{ dir string }

func openBaseline(t *tree, race bool) (*baseline, error) {
	cache, err := cacheDir()
	if err != nil {
		return nil, err
	}
	deps := short(t.deps)
	name := fmt.Sprintf("baseline-%s-%s-%s-%s-%s", t.version, t.goVersion, runtime.GOOS, runtime.GOARCH, deps)
	if race {
		name += "-race"
	}
	dir := filepath.Join(cache, strings.ReplaceAll(name, " ", "_"))
	return &baseline{dir}, os.MkdirAll(dir, 0o750)
}

func short(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:6])
}

func (b *baseline) file(s *suite) string {
	name := strings.ReplaceAll(strings.TrimPrefix(s.name(), "./"), "/", "_")
	if s.run != "" {
		name += "-" + short(s.run)
	}
	return filepath.Join(b.dir, name+".json")
}

// load returns nil for what is not there or cannot be read.
func (b *baseline) load(s *suite) *pkgResult {
	data, err := os.ReadFile(b.file(s))
	if err != nil {
		return nil
	}
	var res pkgResult
	if json.Unmarshal(data, &res) != nil || len(res.Tests) == 0 {
		return nil
	}
	return &res
}

func (b *baseline) store(s *suite, res *pkgResult) error {
	data, err := json.Marshal(res)
	if err != nil {
		return fmt.Errorf("conformance: %w", err)
	}
	if err := os.WriteFile(b.file(s), data, 0o600); err != nil {
		return fmt.Errorf("conformance: %w", err)
	}
	return nil
}
