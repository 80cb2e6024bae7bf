//go:build unix

package main

import (
	"fmt"
	"os"
	"syscall"
)

// tryLock takes the lock on path or fails at once. The lock ends with the
// process, so nothing stale is left behind.
func tryLock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // in the harness's own cache
	if err != nil {
		return nil, fmt.Errorf("conformance: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("conformance: %s is in use: %w", path, err)
	}
	return func() { _ = f.Close() }, nil
}
