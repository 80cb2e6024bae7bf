package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

const (
	grpcModule = "google.golang.org/grpc"
	ourModule  = "github.com/evenkeel-grpc/evenkeel"
)

// tree is a writable copy of the grpc module that requires the repository.
type tree struct {
	dir       string
	version   string // of grpc
	goVersion string
	deps      string // versions of the modules that grpc requires
	release   func()
}

func (t *tree) close() { t.release() }

// findRepo returns the evenkeel checkout at dir, or the one around the current
// directory if dir is empty.
func findRepo(dir string) (string, error) {
	start, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("conformance: -repo: %w", err)
	}
	for at := start; ; at = filepath.Dir(at) {
		mod, err := fs.ReadFile(os.DirFS(at), "go.mod")
		if first, _, _ := strings.Cut(string(mod), "\n"); err == nil && strings.TrimSpace(first) == "module "+ourModule {
			return at, nil
		}
		if dir != "" || at == filepath.Dir(at) {
			return "", fmt.Errorf("conformance: no checkout of %s at %s", ourModule, start)
		}
	}
}

// openTree copies the grpc module that repo pins. Only one process at a time
// gets the copy that stays, and with it the builds that go has cached for its
// path; others get a temporary one.
func openTree(ctx context.Context, repo string) (*tree, error) {
	var mod struct{ Version, Dir, Error string }
	out, err := goOutput(ctx, repo, "mod", "download", "-json", grpcModule)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(out, &mod); err != nil || mod.Dir == "" {
		return nil, fmt.Errorf("conformance: go mod download: no directory in %q: %s", out, mod.Error)
	}
	version, err := goOutput(ctx, repo, "env", "GOVERSION")
	if err != nil {
		return nil, err
	}
	dir, release, err := claimDir(mod.Version)
	if err != nil {
		return nil, err
	}
	t := &tree{dir: dir, version: mod.Version, goVersion: strings.TrimSpace(string(version)), release: release}
	if err := t.fill(ctx, mod.Dir, repo); err != nil {
		release()
		return nil, err
	}
	return t, nil
}

func claimDir(version string) (string, func(), error) {
	cache, err := cacheDir()
	if err != nil {
		return "", nil, err
	}
	kept := filepath.Join(cache, "grpc@"+version)
	if unlock, err := tryLock(kept + ".lock"); err == nil {
		return kept, unlock, nil
	}
	tmp, err := os.MkdirTemp("", "evenkeel-conformance-")
	if err != nil {
		return "", nil, fmt.Errorf("conformance: %w", err)
	}
	return filepath.Join(tmp, "grpc"), func() { _ = os.RemoveAll(tmp) }, nil
}

func cacheDir() (string, error) {
	user, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("conformance: %w", err)
	}
	dir := filepath.Join(user, "evenkeel-conformance")
	return dir, os.MkdirAll(dir, 0o750)
}

// fill makes t.dir a fresh copy of source that requires repo.
func (t *tree) fill(ctx context.Context, source, repo string) error {
	if err := os.RemoveAll(t.dir); err != nil {
		return fmt.Errorf("conformance: %w", err)
	}
	// Files in the module cache are read-only; CopyFS makes writable ones.
	if err := os.CopyFS(t.dir, os.DirFS(source)); err != nil {
		return fmt.Errorf("conformance: copying %s: %w", source, err)
	}
	_, err := goOutput(ctx, t.dir, "mod", "edit",
		"-require="+ourModule+"@v0.0.0", "-replace="+ourModule+"="+repo)
	if err != nil {
		return err
	}
	if err := appendSums(t.dir, repo); err != nil {
		return err
	}
	t.deps, err = requiredVersions(ctx, source, t.dir)
	return err
}

// appendSums adds the repository's go.sum to the copy's, so that the modules
// which only the repository needs are known. The go command ignores duplicates.
func appendSums(dir, repo string) error {
	ours, err := fs.ReadFile(os.DirFS(repo), "go.sum")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("conformance: %w", err)
	}
	theirs, err := fs.ReadFile(os.DirFS(dir), "go.sum")
	if err != nil {
		return fmt.Errorf("conformance: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "go.sum"), slices.Concat(theirs, ours), 0o600); err != nil {
		return fmt.Errorf("conformance: %w", err)
	}
	return nil
}

// requiredVersions lists the modules that grpc itself requires, in the versions
// selected in the copy. The baseline depends on them.
func requiredVersions(ctx context.Context, source, dir string) (string, error) {
	out, err := goOutput(ctx, source, "mod", "edit", "-json", filepath.Join(source, "go.mod"))
	if err != nil {
		return "", err
	}
	var mod struct{ Require []struct{ Path string } }
	if err := json.Unmarshal(out, &mod); err != nil {
		return "", fmt.Errorf("conformance: go mod edit -json: %w", err)
	}
	args := []string{"list", "-m"}
	for _, r := range mod.Require {
		args = append(args, r.Path)
	}
	out, err = goOutput(ctx, dir, args...)
	return string(out), err
}

// goCommand is the go command, run in dir outside any workspace.
func goCommand(ctx context.Context, dir string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...) //nolint:gosec // the arguments are ours
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PWD="+dir, "GOWORK=off", "GOFLAGS=-mod=mod")
	// An interrupted go test interrupts its test binaries.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	return cmd
}

func goOutput(ctx context.Context, dir string, args ...string) ([]byte, error) {
	cmd := goCommand(ctx, dir, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("conformance: go %s: %w\n%s", strings.Join(args, " "), err, lastBytes(&stderr))
	}
	return stdout.Bytes(), nil
}

func lastBytes(r io.Reader) []byte {
	const limit = 4 << 10
	b, _ := io.ReadAll(r)
	return b[max(0, len(b)-limit):]
}
