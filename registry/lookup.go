package registry

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/evenkeel-grpc/evenkeel/internal/nearest"
)

// ErrUnknown is wrapped by every [*UnknownError].
var ErrUnknown = errors.New("registry: unknown plugin")

// UnknownError is the error of a lookup whose name is not registered.
type UnknownError struct {
	Kind Kind
	Name string
	// Registered has the names that would have been found, sorted.
	Registered []string
	// Nearest is the name that was probably meant: Name itself if that is known
	// but not imported, empty if there is none.
	Nearest string
	// Import is the package to import for Nearest, empty if it is registered.
	Import string
}

// Error says what is missing, and which names would be accepted.
func (e *UnknownError) Error() string {
	return fmt.Sprintf("%v: no %s %q: %s", ErrUnknown, e.Kind, brief(e.Name), e.hint())
}

// Unwrap returns [ErrUnknown].
func (e *UnknownError) Unwrap() error { return ErrUnknown }

// hint is the part of the error that teaches.
func (e *UnknownError) hint() string {
	have := "none is registered"
	if len(e.Registered) > 0 {
		have = "registered: " + strings.Join(e.Registered, ", ")
	}
	switch {
	case e.Nearest == "":
		return have
	case e.Import == "":
		return fmt.Sprintf("did you mean %q? (%s)", e.Nearest, have)
	case e.Nearest == e.Name:
		return fmt.Sprintf("its package is not imported, add import _ %q (%s)", e.Import, have)
	default:
		return fmt.Sprintf("did you mean %q? For that, add import _ %q (%s)", e.Nearest, e.Import, have)
	}
}

// unknown builds the error for a name that is not in the table.
func (t *table[B]) unknown(kind Kind, name string) *UnknownError {
	e := &UnknownError{Kind: kind, Name: name}
	for _, p := range t.plugins(kind) {
		e.Registered = append(e.Registered, p.Name)
	}
	missing := map[string]string{} // known names that are not registered
	if t.grpc != nil {
		missing = knownImports(kind)
		maps.DeleteFunc(missing, func(n, _ string) bool { return slices.Contains(e.Registered, n) })
	}
	e.Nearest = nearest.To(name, slices.Concat(e.Registered, slices.Sorted(maps.Keys(missing))))
	e.Import = missing[e.Nearest]
	return e
}

// brief shortens text that came from outside, for an error.
func brief(s string) string {
	const limit = 60
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "..."
}
