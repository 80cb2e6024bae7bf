package main

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func sampleResults() []result {
	return []result{
		newResult(burstTime, 1000, 100, 0.5),
		newResult(burstTime, 10_000, 10_000, 5),
		newResult(burstTime, 100_000, math.NaN(), 50),
		newResult(sameMallocs, 10_000, 0, 0),
	}
}

func TestResultRatioIsNullWhereThereIsNone(t *testing.T) {
	for _, tc := range []struct {
		name           string
		grpc, evenkeel float64
		want           string
	}{
		{"a ratio of the two", 8, 2, `{"name":"x","n":3,"evenkeel":2,"grpc":8,"unit":"ms","ratio":0.25}`},
		{"four digits", 3, 1, `{"name":"x","n":3,"evenkeel":1,"grpc":3,"unit":"ms","ratio":0.3333}`},
		{"grpc-go was not run", math.NaN(), 2, `{"name":"x","n":3,"evenkeel":2,"grpc":null,"unit":"ms","ratio":null}`},
		{"grpc-go needs nothing", 0, 2, `{"name":"x","n":3,"evenkeel":2,"grpc":0,"unit":"ms","ratio":null}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := json.Marshal(newResult(metric{"x", "ms"}, 3, tc.grpc, tc.evenkeel))
			if err != nil || string(got) != tc.want {
				t.Errorf("newResult(%v, %v) = %s, %v, want %s", tc.grpc, tc.evenkeel, got, err, tc.want)
			}
		})
	}
}

func TestResultsRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "results.json")
	want := sampleResults()
	if err := writeResults(path, want); err != nil {
		t.Fatal(err)
	}
	got, err := readResults(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("results after a round trip (-want +got):\n%s", diff)
	}
}

func TestGrowthRowFollowsTheTimes(t *testing.T) {
	got := withGrowth(sampleResults())
	if len(got) != 5 || got[1].Name != burstGrowth.name || got[1].N != 100_000 {
		t.Fatalf("withGrowth() = %v, want its row after the first bring-up time", got)
	}
	if r := got[1]; r.Evenkeel != 1 || r.GRPC == nil || *r.GRPC != 2 {
		t.Errorf("growth = %v and %v, want 1 and 2", r.Evenkeel, r.GRPC)
	}
	if got := withGrowth(sampleResults()[:1]); len(got) != 1 {
		t.Errorf("withGrowth of one size = %v, want no more rows", got)
	}
}

func TestTargetsNameRowsThatExist(t *testing.T) {
	keys := map[string]bool{rowKey(burstGrowth.name, 100_000): true}
	for _, list := range [][]experiment{stubExperiments(fullScale), pickExperiments(fullScale), channelExperiments(fullScale, &backend{})} {
		for _, e := range list {
			for _, m := range e.metrics {
				keys[rowKey(m.name, e.n)] = true
			}
		}
	}
	for key := range targets {
		if !keys[key] {
			t.Errorf("target for %q, which no experiment measures", key)
		}
	}
}

func TestTableShowsTargets(t *testing.T) {
	text := newTable([]result{
		newResult(burstTime, 10_000, 19_600, 5),
		newResult(retainedBytes, 10_000, 1724, 460),
		newResult(burstTime, 2000, 500, 1),
	}).Render()
	for _, want := range []string{"19,600 ms", "1/3920", "≤ 20 ms", "≤ 450 B", "│ no", "│ yes", "≥ 500 times faster"} {
		if !strings.Contains(text, want) {
			t.Errorf("table lacks %q:\n%s", want, text)
		}
	}
}

func TestPlotIsWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bring-up.svg")
	if err := drawPlot(path, sampleResults()); err != nil {
		t.Fatal(err)
	}
	svg, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(svg), "<svg") || !strings.Contains(string(svg), "grpc-go") {
		t.Errorf("the plot has %d bytes and no <svg or legend, error %v", len(svg), err)
	}
	if err := drawPlot(path, sampleResults()[3:]); err == nil {
		t.Error("drawPlot() without bring-up times = nil, want an error")
	}
}

func TestDocsTableIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "benchmarks.md")
	if err := os.WriteFile(path, []byte("before\n"+tableBegin+"old\n"+tableEnd+"after\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // Doing it again changes nothing.
		if err := updateDocs(path, sampleResults()); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		want := "before\n" + tableBegin + "\n" + newTable(sampleResults()).RenderMarkdown() + "\n\n" + tableEnd + "after\n"
		if err != nil || string(got) != want {
			t.Fatalf("docs = %q, %v, want %q", got, err, want)
		}
	}
}

// The documentation shows the figures of the results file.
func TestDocsShowResults(t *testing.T) {
	results, err := readResults("results.json")
	if err != nil {
		t.Fatal(err)
	}
	docs, err := os.ReadFile("../docs/benchmarks.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(docs), newTable(results).RenderMarkdown()) {
		t.Error("docs/benchmarks.md does not show bench/results.json: go run ./bench -docs docs/benchmarks.md writes both")
	}
}

func TestTargetIsMetInProportionToGRPC(t *testing.T) {
	limit := atMostWhere(10, 100, "ms")
	for _, tt := range []struct {
		grpcGo, evenkeel float64
		want             bool
	}{
		{math.NaN(), 10, true},
		{math.NaN(), 11, false},
		{50, 10, true},
		{200, 20, true},
		{200, 21, false},
		{50, 11, false},
	} {
		if got := limit.met(newResult(metric{"x", "ms"}, 1, tt.grpcGo, tt.evenkeel)); got != tt.want {
			t.Errorf("%s: %v ms beside grpc-go's %v ms is met = %v, want %v", limit.text, tt.evenkeel, tt.grpcGo, got, tt.want)
		}
	}
}
