// Package nearest finds the name that somebody probably meant.
package nearest

import (
	"slices"
	"strings"
)

// To returns the candidate that name was probably meant to be, or "". Name
// itself comes first, then a name that differs only in case or separators, or
// in the ending _experimental, then the one that takes the fewest typing
// mistakes, of which a third of the letters is the limit.
func To(name string, candidates []string) string {
	folded := fold(name)
	if len(folded) > 100 {
		return "" // Nobody mistyped that.
	}
	if slices.Contains(candidates, name) {
		return name
	}
	for _, c := range candidates {
		if fold(c) == folded || fold(strings.TrimSuffix(c, "_experimental")) == folded {
			return c
		}
	}
	best, limit := "", max(1, len(folded)/3)
	for _, c := range candidates {
		if d := distance(folded, fold(c)); d <= limit {
			best, limit = c, d-1
		}
	}
	return best
}

// fold removes what people get wrong most: case and separators.
func fold(s string) string {
	return strings.NewReplacer("_", "", "-", "").Replace(strings.ToLower(s))
}

// distance is the number of bytes to insert, delete, replace or swap with their
// neighbour to make b of a.
func distance(a, b string) int {
	// Three rows of the matrix whose cell i, j compares a[:i] with b[:j].
	older, old, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		older, old, row = old, row, older
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(old[j]+1, row[j-1]+1, old[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], older[j-2]+1)
			}
		}
	}
	return row[len(b)]
}
