package endpoints_test

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/grpclog"
	"google.golang.org/grpc/resolver"

	"github.com/evenkeel-grpc/evenkeel/endpoints"
	"github.com/evenkeel-grpc/evenkeel/internal/fakecc"
	"github.com/evenkeel-grpc/evenkeel/scstate"
)

// fakeLogger keeps the lines that it is given, at one verbosity.
type fakeLogger struct {
	grpclog.DepthLoggerV2 // nil: what is not faked panics

	verbosity int
	lines     []string
}

func (l *fakeLogger) V(level int) bool { return level <= l.verbosity }

func (l *fakeLogger) InfoDepth(_ int, args ...any) { l.lines = append(l.lines, fmt.Sprint(args...)) }

type loggingPolicy struct {
	policy
	logger *fakeLogger
}

func (p loggingPolicy) Build(cc balancer.ClientConn, opts balancer.BuildOptions) balancer.Balancer {
	return endpoints.New(cc, opts, endpoints.Policy{
		Name:      "round_robin",
		Logger:    p.logger,
		NewPicker: func(r *endpoints.Ring) balancer.Picker { return turn{r} },
	})
}

func TestLogLinesNamePolicyAndTarget(t *testing.T) {
	target := resolver.Target{URL: url.URL{
		Scheme: "etcd", User: url.UserPassword("me", "hunter2"), Host: "h:1", Path: "/x", RawQuery: "token=hunter2",
	}}
	for _, verbosity := range []int{0, 2} {
		l := &fakeLogger{verbosity: verbosity}
		h := &harness{ClientConn: &fakecc.ClientConn{}, TB: t}
		h.balancer = scstate.Wrap(loggingPolicy{logger: l}).Build(h.ClientConn, balancer.BuildOptions{Target: target})
		h.resolve("a:1", "b:1")
		h.set(ready, "a:1")
		h.balancer.ResolverError(errors.New("registry is down"))
		h.balancer.Close()
		if verbosity == 0 {
			if len(l.lines) > 0 {
				t.Errorf("logged %q without being asked", l.lines)
			}
			continue
		}
		text := strings.Join(l.lines, "\n")
		for _, want := range []string{"endpoints 2", "now READY", "resolver error: registry is down"} {
			if !strings.Contains(text, want) {
				t.Errorf("the log lacks %q:\n%s", want, text)
			}
		}
		for _, line := range l.lines {
			if !strings.HasPrefix(line, "round_robin: etcd://h:1/x: ") || strings.Contains(line, "hunter2") {
				t.Errorf("log line %q, want policy and target and no secret", line)
			}
		}
	}
}
