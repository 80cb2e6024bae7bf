package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
)

// result is one row as it is written to the results file.
type result struct {
	Name     string   `json:"name"`
	N        int      `json:"n"`
	Evenkeel float64  `json:"evenkeel"`
	GRPC     *float64 `json:"grpc"` // nil if grpc-go was not run
	Unit     string   `json:"unit"`
	Ratio    *float64 `json:"ratio"` // evenkeel / grpc; nil without grpc, or if it is 0
}

// newResult returns the row of a metric. grpcGo is NaN if it was not run.
func newResult(m metric, n int, grpcGo, evenkeel float64) result {
	r := result{Name: m.name, N: n, Evenkeel: rounded(evenkeel), Unit: m.unit}
	if math.IsNaN(grpcGo) {
		return r
	}
	r.GRPC = new(rounded(grpcGo))
	if grpcGo > 0 {
		r.Ratio = new(rounded(evenkeel / grpcGo))
	}
	return r
}

// key names the row on the command line.
func (r result) key() string { return rowKey(r.Name, r.N) }

func rowKey(name string, n int) string { return name + "/" + strconv.Itoa(n) }

// rounded keeps four significant digits: more would be noise.
func rounded(v float64) float64 {
	r, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 4, 64), 64)
	if err != nil {
		return v
	}
	return r
}

// withGrowth adds the row with the exponents of bring-up time against N, if there
// are two sizes at least. It goes behind the first of them, so that the rows of
// its name come next when rows of one name are brought together.
func withGrowth(results []result) []result {
	var n, ours, grpcN, grpcGo []float64
	first := -1
	for i, r := range results {
		if r.Name != burstTime.name {
			continue
		}
		if first < 0 {
			first = i
		}
		n, ours = append(n, float64(r.N)), append(ours, r.Evenkeel)
		if r.GRPC != nil {
			grpcN, grpcGo = append(grpcN, float64(r.N)), append(grpcGo, *r.GRPC)
		}
	}
	if len(n) < 2 {
		return results
	}
	theirs := math.NaN()
	if len(grpcN) > 1 {
		theirs = exponent(grpcN, grpcGo)
	}
	row := newResult(burstGrowth, int(n[len(n)-1]), theirs, exponent(n, ours))
	return slices.Insert(results, first+1, row)
}

func writeResults(path string, results []result) error {
	js, err := json.MarshalIndent(results, "", "  ")
	if err != nil {
		return fmt.Errorf("bench: results: %w", err)
	}
	return os.WriteFile(path, append(js, '\n'), 0o644) //nolint:gosec // a report, for everyone to read
}

func readResults(path string) ([]result, error) {
	js, err := os.ReadFile(path) //nolint:gosec // the user names the file
	if err != nil {
		return nil, err
	}
	var results []result
	if err := json.Unmarshal(js, &results); err != nil {
		return nil, fmt.Errorf("bench: %s: %w", path, err)
	}
	return results, nil
}
