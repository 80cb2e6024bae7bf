package v1adapter_test

import (
	_ "embed"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/evenkeel-grpc/evenkeel/balancers/v1adapter"
	"github.com/evenkeel-grpc/evenkeel/internal/held"
)

// observed is what scenario_test.go says on grpc v1.29.1.
//
//go:embed testdata/v1.29.1.txt
var observed string

// meant are the lines that are meant to differ; docs/migrating-v1.md has the
// reasons.
var meant = map[string]string{
	`get error "rpc error: code = NotFound desc = what?"`:        `Internal "received picker error with illegal status: rpc error: code = NotFound desc = what?"`,
	`get error "rpc error: code = NotFound desc = what?", waits`: `Internal "received picker error with illegal status: rpc error: code = NotFound desc = what?"`,
	`get error "plain"`:        `Unavailable "plain"`,
	`get error "plain", waits`: `Unavailable "plain"`,
	`close during get`:         `Canceled`,
	`own closed`:               `[down two, error true close]`,
}

// A program written for v1.29.1 sees the same here, with real servers on
// 127.0.0.1.
func TestAsInV1291(t *testing.T) {
	leaks := goleak.IgnoreCurrent()
	s := &scenario{
		dial: v1adapter.DialOptions,
		addr: func() string { return held.Addr(t) }, // One stops and starts again.
	}
	got, want := strings.Split(s.run(), "\n"), strings.Split(observed, "\n")
	for i, line := range want {
		for label, ours := range meant {
			if strings.HasPrefix(line, label+": ") {
				want[i] = label + ": " + ours
			}
		}
	}
	goleak.VerifyNone(t, leaks)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("differs from v1.29.1 (-v1.29.1, +here):\n%s", diff)
	}
}
