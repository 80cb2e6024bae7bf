package main

import (
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), "RPCs reach one\nRPCs reach one, three, two\nRPCs reach three, two\n"; got != want {
		t.Errorf("output = %q, want %q", got, want)
	}
}
