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
	values, err := url.ParseQuery(query)
	if err != nil {
		// The error of ParseQuery quotes what it could not read.
		return nil, errors.New("malformed parameters (want name=value, joined by &)")
	}
	params := make(map[string]string, len(values))
	for _, name := range slices.Sorted(maps.Keys(values)) {
		v := values[name]
		if !slices.Contains(known, name) {
			return nil, unknown(name, known)
		}
		if len(v) > 1 {
			return nil, fmt.Errorf("parameter %q is given %d times", name, len(v))
		}
		params[name] = v[0]
	}
	return params, nil
}

func unknown(name string, known []string) error {
	known = slices.Sorted(slices.Values(known))
	hint := ""
	if n := nearest.To(name, known); n != "" {
		hint = fmt.Sprintf("did you mean %q? ", n)
	}
	return fmt.Errorf("unknown parameter %q (%sknown: %s)", name, hint, strings.Join(known, ", "))
}
