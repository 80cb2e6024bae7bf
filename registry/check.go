package registry

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/evenkeel-grpc/evenkeel/registry/internal/jsonpos"
)

// CheckServiceConfig checks a service config against [Default].
// See [Registry.CheckServiceConfig].
func CheckServiceConfig(js string) error { return Default.CheckServiceConfig(js) }

// CheckServiceConfig returns nil if grpc would do what the service config says,
// and otherwise a [*ConfigError]. Whatever passes against [Default] is accepted
// by grpc. The check is stricter than grpc, which skips or replaces in silence
// much that it does not know:
//
//   - Keys must be known, written in the right case, and given once.
//   - Every policy that is named must be registered, also in the entries of a
//     list that grpc would skip or never reach. Its fields must be known, where
//     the registry knows them, and its ParseConfig must accept them.
//   - A list of policies must not be empty, and loadBalancingPolicy must not
//     accompany it, since grpc would ignore it.
//   - What only other languages' gRPC implements, such as hedgingPolicy, is
//     refused.
//   - The values in methodConfig and retryThrottling must have an effect: a
//     timeout above 0, and a name for every entry.
//
// A null stands for an absent value. A retryPolicy's maxAttempts may be above
// 5, although grpc makes no more than 5 unless told otherwise.
func (r *Registry) CheckServiceConfig(js string) error {
	root, err := jsonpos.Parse(js)
	if err != nil {
		if syntax, ok := errors.AsType[*jsonpos.SyntaxError](err); ok {
			err = newConfigError(js, []finding{{syntax.Path, syntax.Offset, syntax.Reason, nil}})
		}
		return err
	}
	c := &checker{registry: r}
	c.duplicates(root)
	c.check(root, reflect.TypeFor[serviceConfig]())
	if len(c.findings) == 0 {
		return nil
	}
	return newConfigError(js, c.findings)
}

// ConfigError holds all that is wrong with a service config.
type ConfigError struct {
	Problems []Problem // at least one, in the order of the text
}

// Error shows the first problem on the first line, and one more on each of the
// lines that follow.
func (e *ConfigError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return "registry: service config: " + strings.Join(lines, "\n\t")
}

// Unwrap returns the causes that the problems have.
func (e *ConfigError) Unwrap() []error {
	var errs []error
	for _, p := range e.Problems {
		if p.Err != nil {
			errs = append(errs, p.Err)
		}
	}
	return errs
}

// Problem is one thing that is wrong with a service config.
type Problem struct {
	// Path leads to the value: $.loadBalancingConfig[0].round_robin.
	Path string
	// Line and Column count from 1, the column in characters.
	Line, Column int
	// Detail has the value, cut if it is long, and what would be accepted.
	Detail string
	// Err is the cause, such as an [ErrUnknown] or the error of a policy's
	// ParseConfig. It is nil if Detail says it all.
	Err error
}

// String returns the place and the detail: "$.key (1:2): detail".
func (p Problem) String() string {
	return fmt.Sprintf("%s (%d:%d): %s", p.Path, p.Line, p.Column, p.Detail)
}

// finding is a Problem whose position has not been worked out yet.
type finding struct {
	path   string
	offset int
	detail string
	err    error
}

func newConfigError(js string, findings []finding) *ConfigError {
	slices.SortStableFunc(findings, func(a, b finding) int { return cmp.Compare(a.offset, b.offset) })
	e := &ConfigError{}
	for _, f := range findings {
		line, column := jsonpos.Position(js, f.offset)
		e.Problems = append(e.Problems, Problem{f.path, line, column, f.detail, f.err})
	}
	return e
}

// checker walks a service config and collects what is wrong.
type checker struct {
	registry *Registry
	findings []finding
}

// report adds a finding about a value.
func (c *checker) report(n *jsonpos.Node, format string, args ...any) {
	c.findings = append(c.findings, finding{n.Path, n.Offset, fmt.Sprintf(format, args...), nil})
}

// reportKey adds a finding about the key of a member.
func (c *checker) reportKey(m jsonpos.Member, format string, args ...any) {
	c.findings = append(c.findings, finding{m.Value.Path, m.Offset, fmt.Sprintf(format, args...), nil})
}

// want reports a value of the wrong kind or out of range.
func (c *checker) want(n *jsonpos.Node, want string) {
	c.report(n, "want %s, got %s", want, show(n))
}

// duplicates reports the second and later uses of a key in one object.
func (c *checker) duplicates(n *jsonpos.Node) {
	seen := make(map[string]bool)
	for _, m := range n.Members {
		if seen[m.Key] {
			c.reportKey(m, "duplicate key %q: only the last one counts", brief(m.Key))
		}
		seen[m.Key] = true
		c.duplicates(m.Value)
	}
	for _, e := range n.Elements {
		c.duplicates(e)
	}
}

// show describes a value, for an error.
func show(n *jsonpos.Node) string {
	if n.Kind == jsonpos.Null {
		return "null"
	}
	return fmt.Sprintf("%s %s", n.Kind, brief(strings.Join(strings.Fields(n.Raw), " ")))
}
