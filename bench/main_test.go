package main

import (
	"bytes"
	"io"
	"path/filepath"
	"strings"
	"testing"
)

func TestQuickRunMeasuresEverything(t *testing.T) {
	if testing.Short() {
		t.Skip("opens some hundred connections and takes seconds")
	}
	dir := t.TempDir()
	out, plot := filepath.Join(dir, "results.json"), filepath.Join(dir, "plot.svg")
	var stdout bytes.Buffer
	if err := run(t.Context(), []string{"-quick", "-out", out, "-plot", plot}, &stdout, t.Output()); err != nil {
		t.Fatal(err)
	}
	results, err := readResults(out)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if !strings.Contains(stdout.String(), r.Name) {
			t.Errorf("the table lacks %q", r.Name)
		}
		if r.Evenkeel < 0 || r.Evenkeel == 0 && r.Unit != "" {
			t.Errorf("%s = %v %s, want more than nothing", r.key(), r.Evenkeel, r.Unit)
		}
		if r.GRPC == nil && r.N <= quickScale.grpcNever {
			t.Errorf("%s has no grpc-go figure", r.key())
		}
	}
	if want := "N to READY in a burst: growth exponent"; !strings.Contains(stdout.String(), want) {
		t.Errorf("the table lacks %q", want)
	}
}

func TestPartialRunWritesNothingByItself(t *testing.T) {
	for _, tc := range []struct {
		args []string
		want string
	}{
		{nil, "bench/results.json"},
		{[]string{"-quick"}, ""},
		{[]string{"-run", "Pick"}, ""},
		{[]string{"-run", "Pick", "-out", "x.json"}, "x.json"},
	} {
		c, err := parseFlags(tc.args, io.Discard)
		if err != nil || c.out != tc.want {
			t.Errorf("parseFlags(%q): out = %q, error %v, want %q", tc.args, c.out, err, tc.want)
		}
	}
	if _, err := parseFlags([]string{"-run", "("}, io.Discard); err == nil {
		t.Error(`parseFlags(-run "(") = nil, want an error`)
	}
}
