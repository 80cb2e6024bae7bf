package param_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evenkeel-grpc/evenkeel/resolvers/internal/param"
)

func TestParseReturnsKnownParameters(t *testing.T) {
	got, err := param.Parse("grace=5s&near=%20x", "grace", "near", "dc")
	if err != nil {
		t.Fatalf("Parse: %v", err)
	}
	want := map[string]string{"grace": "5s", "near": " x"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Parse (-want +got):\n%s", diff)
	}
}

func TestParseRejects(t *testing.T) {
	for _, tt := range []struct{ name, query, want string }{
		{"an unknown name", "x=hunter2", `unknown parameter "x" (known: dc, grace)`},
		{"a slip of the pen", "garce=1s", `unknown parameter "garce" (did you mean "grace"? known: dc, grace)`},
		{"the wrong case", "Grace=1s", `unknown parameter "Grace" (did you mean "grace"? known: dc, grace)`},
		{"a name given twice", "grace=1s&grace=2s", `parameter "grace" is given 2 times`},
		{"a broken escape", "grace=hunter2%zz", "malformed parameters (want name=value, joined by &)"},
		{"a semicolon", "grace=hunter2;dc=x", "malformed parameters (want name=value, joined by &)"},
		{"the first of two unknown names in order", "z=1&y=1", `unknown parameter "y" (known: dc, grace)`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := param.Parse(tt.query, "grace", "dc")
			if err == nil || err.Error() != tt.want {
				t.Fatalf("Parse(%q) = %v, want %s", tt.query, err, tt.want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("Parse(%q) shows the value: %v", tt.query, err)
			}
		})
	}
}

func TestParseListsKeepsTheOrderOfRepeatedParameters(t *testing.T) {
	got, err := param.ParseLists("dc=b&tag=x&dc=a", []string{"tag", "dc"}, []string{"dc"})
	if err != nil {
		t.Fatalf("ParseLists: %v", err)
	}
	want := map[string][]string{"dc": {"b", "a"}, "tag": {"x"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ParseLists (-want +got):\n%s", diff)
	}
	if _, err := param.ParseLists("tag=x&tag=y", []string{"tag", "dc"}, []string{"dc"}); err == nil {
		t.Error("ParseLists accepted a parameter twice that may be given once")
	}
}
