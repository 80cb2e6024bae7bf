// Package param reads the parameters of a resolver's target.
package param

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/evenkeel-grpc/evenkeel/internal/nearest"
)

// Parse returns the parameters in the query part of a target. One that is not
// known, or given twice, is an error, which shows no value: what was meant as
// something else may be a secret.
func Parse(query string, known ...string) (map[string]string, error) {
	lists, err := ParseLists(query, known, nil)
	if err != nil {
		return nil, err
	}
	params := make(map[string]string, len(lists))
	for name, v := range lists {
		params[name] = v[0]
	}
	return params, nil
}

// ParseLists is [Parse] for targets in which some of the known parameters may
// be given more than once. Each name has its values in their order.
func ParseLists(query string, known, repeatable []string) (map[string][]string, error) {
	values, err := url.ParseQuery(query)
	if err != nil {
		// The error of ParseQuery quotes what it could not read.
		return nil, errors.New("malformed parameters (want name=value, joined by &)")
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if !slices.Contains(known, name) {
			return nil, unknown(name, known)
		}
		if n := len(values[name]); n > 1 && !slices.Contains(repeatable, name) {
			return nil, fmt.Errorf("parameter %q is given %d times", name, n)
		}
	}
	return values, nil
}

func unknown(name string, known []string) error {
	known = slices.Sorted(slices.Values(known))
	hint := ""
	if n := nearest.To(name, known); n != "" {
		hint = fmt.Sprintf("did you mean %q? ", n)
	}
	return fmt.Errorf("unknown parameter %q (%sknown: %s)", name, hint, strings.Join(known, ", "))
}
