package main

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"time"
)

// metric is one row of the table, whichever value of an experiment's it shows.
type metric struct {
	name string
	unit string
}

// experiment measures one thing on both sides, in one or more metrics.
type experiment struct {
	n       int
	metrics []metric
	// pairs is how often each side is run.
	pairs int
	// grpcPairs, if not zero, is how often grpc-go is run: less often, because it
	// takes long; never, if negative.
	grpcPairs int
	// setup prepares one side.
	setup func(ctx context.Context, s *side) (trial, error)
}

// trial is one side of an experiment, ready to be measured.
type trial struct {
	// run measures once and returns a value for each metric.
	run func(ctx context.Context) ([]float64, error)
	// close releases what setup acquired; nil if that is nothing.
	close func()
}

func (t trial) end() {
	if t.close != nil {
		t.close()
	}
}

// once is the setup of an experiment whose every run starts from nothing.
func once(run func(ctx context.Context, s *side) ([]float64, error)) func(context.Context, *side) (trial, error) {
	return func(_ context.Context, s *side) (trial, error) {
		return trial{run: func(ctx context.Context) ([]float64, error) { return run(ctx, s) }}, nil
	}
}

// measure runs both sides in turn and returns a result for each metric.
func (e experiment) measure(ctx context.Context, grpcGo, evenkeel *side) ([]result, error) {
	limits := map[*side]int{grpcGo: e.pairs, evenkeel: e.pairs}
	if e.grpcPairs != 0 {
		limits[grpcGo] = max(e.grpcPairs, 0)
	}
	trials := map[*side]trial{}
	values := map[*side][][]float64{}
	for i := range e.pairs {
		for _, s := range []*side{grpcGo, evenkeel} {
			if i >= limits[s] {
				continue
			}
			if i == 0 {
				t, err := e.setup(ctx, s)
				if err != nil {
					return nil, fmt.Errorf("bench: %s, %d: %s: %w", e.metrics[0].name, e.n, s.name, err)
				}
				defer t.end()
				trials[s] = t
			}
			runtime.GC() // Nobody pays for what the other left.
			v, err := trials[s].run(ctx)
			if err != nil {
				return nil, fmt.Errorf("bench: %s, %d: %s: %w", e.metrics[0].name, e.n, s.name, err)
			}
			values[s] = append(values[s], v)
		}
	}
	results := make([]result, len(e.metrics))
	for i, m := range e.metrics {
		results[i] = newResult(m, e.n, median(column(values[grpcGo], i)), median(column(values[evenkeel], i)))
	}
	return results, nil
}

// column returns the values of one metric.
func column(rows [][]float64, i int) []float64 {
	var c []float64
	for _, r := range rows {
		c = append(c, r[i])
	}
	return c
}

// median returns the middle of the values, and NaN if there are none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(values))
	mid := len(s) / 2
	if len(s)%2 == 1 {
		return s[mid]
	}
	return (s[mid-1] + s[mid]) / 2
}

// exponent returns the k for which y = c * x^k fits best, by least squares of
// the logarithms. It needs two points at least.
func exponent(x, y []float64) float64 {
	var sx, sy, sxx, sxy float64
	for i := range x {
		lx, ly := math.Log(x[i]), math.Log(y[i])
		sx, sy, sxx, sxy = sx+lx, sy+ly, sxx+lx*lx, sxy+lx*ly
	}
	n := float64(len(x))
	return (n*sxy - sx*sy) / (n*sxx - sx*sx)
}

// cost is what a piece of code took.
type cost struct {
	time    time.Duration
	bytes   float64 // allocated
	mallocs float64
}

// costOf runs f.
func costOf(f func()) cost {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	f()
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	return cost{took, float64(after.TotalAlloc - before.TotalAlloc), float64(after.Mallocs - before.Mallocs)}
}

// costPer returns the cost of one call of f, from as many calls as fill about
// the given time. Mallocs are rounded down, as testing.AllocsPerRun does: the
// runtime's own are among them.
func costPer(atLeast time.Duration, f func()) cost {
	f() // Growing what is kept is not part of it.
	calls := 0
	total := costOf(func() {
		for start := time.Now(); calls == 0 || time.Since(start) < atLeast; calls++ {
			f()
		}
	})
	n := float64(calls)
	return cost{total.time / time.Duration(calls), math.Floor(total.bytes / n), math.Floor(total.mallocs / n)}
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
