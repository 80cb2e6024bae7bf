package jsonpos_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evenkeel-grpc/evenkeel/registry/internal/jsonpos"
)

func ExampleParse() {
	text := "{\n  \"names\": [\"é\", true]\n}"
	root, err := jsonpos.Parse(text)
	if err != nil {
		fmt.Println(err)
		return
	}
	v := root.Get("names").Elements[1]
	line, column := jsonpos.Position(text, v.Offset)
	fmt.Printf("%s is the %s %s at %d:%d\n", v.Path, v.Kind, v.Raw, line, column)
	// Output: $.names[1] is the boolean true at 2:18
}

func TestParseSaysWhereAndWhy(t *testing.T) {
	tests := []struct {
		name, text string
		want       jsonpos.SyntaxError
	}{
		{"an empty text", " \n", jsonpos.SyntaxError{Path: "$", Offset: 2, Reason: "empty text"}},
		{"a trailing comma in an object", `{"a":1,}`, jsonpos.SyntaxError{Path: "$", Offset: 6, Reason: "trailing comma before '}'"}},
		{"a trailing comma in a list", `{"a":[1 , ]}`, jsonpos.SyntaxError{Path: "$.a", Offset: 8, Reason: "trailing comma before ']'"}},
		{"a lone comma", `[,]`, jsonpos.SyntaxError{Path: "$[0]", Offset: 1, Reason: "want a value, got ','"}},
		{"a missing comma", `[1 2]`, jsonpos.SyntaxError{Path: "$", Offset: 3, Reason: "want a comma or ']', got '2'"}},
		{"a missing colon", `{"a" 1}`, jsonpos.SyntaxError{Path: "$.a", Offset: 5, Reason: "want a colon after the key, got '1'"}},
		{"a key without quotes", `{a:1}`, jsonpos.SyntaxError{Path: "$", Offset: 1, Reason: `want a key in double quotes, got "a"`}},
		{"trailing data", `{} {}`, jsonpos.SyntaxError{Path: "$", Offset: 3, Reason: "data after the end of the value: '{'"}},
		{"a line comment", "{ // no\n}", jsonpos.SyntaxError{Path: "$", Offset: 2, Reason: "JSON has no comments"}},
		{"a block comment", `[1 /* no */]`, jsonpos.SyntaxError{Path: "$", Offset: 3, Reason: "JSON has no comments"}},
		{"an open object", `{"a":1`, jsonpos.SyntaxError{Path: "$", Offset: 6, Reason: "want a comma or '}', got the end of the text"}},
		{"an open string", `["a\`, jsonpos.SyntaxError{Path: "$[0]", Offset: 1, Reason: "string without a closing quote"}},
		{"a bad escape", `"\x"`, jsonpos.SyntaxError{Path: "$", Offset: 0, Reason: "invalid escape in a string"}},
		{"a raw line break in a string", "\"\n\"", jsonpos.SyntaxError{Path: "$", Offset: 1, Reason: "control character in a string"}},
		{"a leading zero", `[01]`, jsonpos.SyntaxError{Path: "$[0]", Offset: 1, Reason: `invalid number "01"`}},
		{"a unit after a number", `{"t":5s}`, jsonpos.SyntaxError{Path: "$.t", Offset: 5, Reason: `invalid number "5s"`}},
		{"a constant of another language", `[True]`, jsonpos.SyntaxError{Path: "$[0]", Offset: 1, Reason: `want a value, got "True"`}},
		{"bytes that are not UTF-8", "[\"\xff\"]", jsonpos.SyntaxError{Path: "$", Offset: 2, Reason: "invalid UTF-8"}},
		{"a byte order mark", "\ufeff{}", jsonpos.SyntaxError{Path: "$", Offset: 0, Reason: `want a value, got '\ufeff'`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := jsonpos.Parse(tt.text)
			var got *jsonpos.SyntaxError
			if !errors.As(err, &got) {
				t.Fatalf("Parse(%q) = %v, want a SyntaxError", tt.text, err)
			}
			if diff := cmp.Diff(&tt.want, got); diff != "" {
				t.Errorf("Parse(%q) (-want +got):\n%s", tt.text, diff)
			}
		})
	}
}

func TestParseLimitsTheDepth(t *testing.T) {
	nested := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	if _, err := jsonpos.Parse(nested(jsonpos.MaxDepth)); err != nil {
		t.Errorf("Parse of %d lists = %v, want nil", jsonpos.MaxDepth, err)
	}
	if _, err := jsonpos.Parse(nested(jsonpos.MaxDepth + 1)); err == nil {
		t.Errorf("Parse of %d lists = nil, want an error", jsonpos.MaxDepth+1)
	}
}

func TestParseKeepsOrderDuplicatesAndOddKeys(t *testing.T) {
	root, err := jsonpos.Parse(`{"b":1,"a":null,"b":"x","odd key":{"":[]}}`)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range root.Members {
		got = append(got, m.Value.Path+"="+m.Value.Raw)
	}
	want := []string{"$.b=1", "$.a=null", `$.b="x"`, `$["odd key"]={"":[]}`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
	if n := root.Get("a"); n != nil {
		t.Errorf("Get of a null = %v, want nil", n)
	}
}

// FuzzParse holds Parse against encoding/json.
func FuzzParse(f *testing.F) {
	for _, s := range []string{`{"a":[1,-2.5e+3,"\u00e9\n",true,false,null,{}]}`, `[1,]`, `"\ud800"`, `{"a":1 // c`, ` 01 `} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		root, err := jsonpos.Parse(text)
		if err != nil {
			var syntax *jsonpos.SyntaxError
			if !errors.As(err, &syntax) || syntax.Offset < 0 || syntax.Offset > len(text) {
				t.Fatalf("Parse(%q) = %#v, want a SyntaxError inside the text", text, err)
			}
			return
		}
		if !json.Valid([]byte(text)) {
			t.Fatalf("Parse(%q) = nil, want an error as from encoding/json", text)
		}
		if got, want := root.Raw, strings.Trim(text, " \t\r\n"); got != want {
			t.Errorf("Parse(%q).Raw = %q, want %q", text, got, want)
		}
	})
}
