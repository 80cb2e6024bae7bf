package main

import (
	"context"
	"math"
	"testing"
)

func TestMedian(t *testing.T) {
	for _, tc := range []struct {
		name   string
		values []float64
		want   float64
	}{
		{"one value is its own median", []float64{7}, 7},
		{"the middle of an odd number, whatever the order", []float64{9, 1, 5}, 5},
		{"between the middle two of an even number", []float64{4, 1, 2, 100}, 3},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := median(tc.values); got != tc.want {
				t.Errorf("median(%v) = %v, want %v", tc.values, got, tc.want)
			}
		})
	}
	if got := median(nil); !math.IsNaN(got) {
		t.Errorf("median(nil) = %v, want NaN", got)
	}
}

func TestExponent(t *testing.T) {
	x := []float64{1000, 2000, 10_000, 100_000}
	for _, want := range []float64{0, 1, 1.15, 2} {
		var y []float64
		for _, v := range x {
			y = append(y, 3*math.Pow(v, want))
		}
		if got := exponent(x, y); math.Abs(got-want) > 1e-9 {
			t.Errorf("exponent of 3*x^%v = %v", want, got)
		}
	}
}

func TestSidesTakeTurns(t *testing.T) {
	grpcGo, evenkeel := &side{name: "grpc-go"}, &side{name: ourName}
	for _, tc := range []struct {
		name      string
		grpcPairs int
		want      string
	}{
		{"as many runs of each", 0, "ABABAB"},
		{"one run of grpc-go", 1, "ABBB"},
		{"no run of grpc-go", -1, "BBB"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var ran string
			e := experiment{
				n: 1, pairs: 3, grpcPairs: tc.grpcPairs, metrics: []metric{{"x", "ms"}},
				setup: once(func(_ context.Context, s *side) ([]float64, error) {
					ran += map[*side]string{grpcGo: "A", evenkeel: "B"}[s]
					return []float64{float64(len(ran))}, nil
				}),
			}
			results, err := e.measure(t.Context(), grpcGo, evenkeel)
			if err != nil || ran != tc.want {
				t.Fatalf("measure() ran %s, error %v, want %s", ran, err, tc.want)
			}
			if hasGRPC := results[0].GRPC != nil; hasGRPC != (tc.grpcPairs >= 0) {
				t.Errorf("result has a grpc-go figure: %v", hasGRPC)
			}
		})
	}
}
