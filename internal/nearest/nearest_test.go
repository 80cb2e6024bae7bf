package nearest_test

import (
	"strings"
	"testing"

	"github.com/evenkeel-grpc/evenkeel/internal/nearest"
)

func TestTo(t *testing.T) {
	names := []string{"grace", "dc", "round_robin", "ring_hash_experimental"}
	for _, tt := range []struct{ what, name, want string }{
		{"the name itself", "grace", "grace"},
		{"another case", "ROUND_ROBIN", "round_robin"},
		{"other separators", "round-robin", "round_robin"},
		{"without the ending", "ring_hash", "ring_hash_experimental"},
		{"two letters swapped", "garce", "grace"},
		{"a letter missing", "grac", "grace"},
		{"something else", "weighted", ""},
		{"nothing", "", ""},
		{"too long to be meant", strings.Repeat("grace", 100), ""},
	} {
		if got := nearest.To(tt.name, names); got != tt.want {
			t.Errorf("%s: To(%.20q) = %q, want %q", tt.what, tt.name, got, tt.want)
		}
	}
}
