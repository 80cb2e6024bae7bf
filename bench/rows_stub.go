package main

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"google.golang.org/grpc/connectivity"
)

// The rows without a network.
var (
	burstTime   = metric{"N to READY in a burst", "ms"}
	burstBytes  = metric{"N to READY in a burst: allocated", "MB"}
	burstGrowth = metric{"N to READY in a burst: growth exponent", ""}
	burstAlone  = metric{"N to READY in a burst: state changes alone", "ms"}
	stepTime    = metric{"N to READY one change at a time", "ms"}
	stepBytes   = metric{"N to READY one change at a time: allocated", "MB"}

	flapTime  = metric{"one endpoint flaps", "µs"}
	flapBytes = metric{"one endpoint flaps: allocated", "kB"}

	sameTime    = metric{"identical resolver update", "ms"}
	sameMallocs = metric{"identical resolver update: allocations", ""}
	removeTime  = metric{"one endpoint removed", "ms"}

	retainedBytes   = metric{"retained per READY endpoint", "B"}
	retainedObjects = metric{"retained per READY endpoint: objects", ""}
)

// stubExperiments returns the experiments on stub SubConns.
func stubExperiments(s scale) []experiment {
	var list []experiment
	for _, n := range s.bringUp {
		e := experiment{
			n: n, pairs: s.pairs, setup: once(bringUp(n)),
			metrics: []metric{burstTime, burstAlone, burstBytes, stepTime, stepBytes},
		}
		switch {
		case n > s.grpcNever:
			e.grpcPairs = -1
		case n > s.grpcOften:
			e.grpcPairs = 1
		}
		list = append(list, e)
	}
	n, pairs := s.large, s.pairs
	return append(list,
		experiment{n: n, pairs: pairs, metrics: []metric{flapTime, flapBytes}, setup: flap(n, s.spell)},
		experiment{n: n, pairs: pairs, metrics: []metric{sameTime, sameMallocs}, setup: sameUpdate(n, s.spell)},
		experiment{n: n, pairs: 3 * pairs, metrics: []metric{removeTime}, setup: removal(n)},
		experiment{n: n, pairs: 3, metrics: []metric{retainedBytes, retainedObjects}, setup: once(retained(n))},
	)
}

// bringUp measures from the resolver update to the last READY. What grpc-go does
// is the same in a burst and one at a time, because its balancers take changes
// one by one: it is run once for both.
func bringUp(n int) func(context.Context, *side) ([]float64, error) {
	return func(_ context.Context, s *side) ([]float64, error) {
		step, stepAlone, err := bringUpBy(s, n, stepByStep)
		if err != nil {
			return nil, err
		}
		burst, alone := step, stepAlone
		if s.name == ourName {
			runtime.GC()
			if burst, alone, err = bringUpBy(s, n, inBurst); err != nil {
				return nil, err
			}
		}
		return []float64{
			millis(burst.time), millis(alone), burst.bytes / 1e6,
			millis(step.time), step.bytes / 1e6,
		}, nil
	}
}

// bringUpBy also returns the time from the first state change on.
func bringUpBy(s *side, n int, connect func(*fixture) (time.Time, error)) (whole cost, alone time.Duration, err error) {
	f := newFixture(s.roundRobin, n)
	whole = costOf(func() {
		var first time.Time
		first, err = connect(f)
		alone = time.Since(first)
	})
	if err != nil {
		return whole, alone, err
	}
	return whole, alone, f.allReady(n)
}

// stepByStep delivers each change when the one before has been dealt with. It
// returns when the first was.
func stepByStep(f *fixture) (first time.Time, err error) {
	err = f.resolve(f.list)
	first = time.Now()
	for i := range f.arena {
		f.set(&f.arena[i], connectivity.Ready)
	}
	return first, err
}

// inBurst makes all changes come while the balancer is inside a call of its own,
// so that a feed has queued all before it delivers the first. It returns when
// that was.
func inBurst(f *fixture) (first time.Time, err error) {
	f.nested = true
	f.once = func() {
		first = time.Now()
		for i := range f.arena {
			event{sc: &f.arena[i], state: connectivity.Ready}.deliver()
		}
	}
	err = f.resolve(f.list)
	return first, err
}

// flap measures a READY endpoint that loses its connection, connects again and
// is READY.
func flap(n int, spell time.Duration) func(context.Context, *side) (trial, error) {
	return func(_ context.Context, s *side) (trial, error) {
		f, err := readyFixture(s.roundRobin, n)
		i := 0
		return trial{run: func(context.Context) ([]float64, error) {
			c := costPer(spell, func() {
				i = (i + 7919) % n // a prime, so that all have their turn
				flapOnce(f, &f.arena[i])
			})
			return []float64{micros(c.time), c.bytes / 1e3}, f.allReady(n)
		}}, err
	}
}

func flapOnce(f *fixture, sc *subConn) {
	connects := sc.connects.Load()
	f.set(sc, connectivity.Idle)
	for sc.connects.Load() == connects {
		runtime.Gosched() // grpc-go reconnects on a goroutine of its own.
	}
	f.set(sc, connectivity.Connecting)
	f.set(sc, connectivity.Ready)
}

// sameUpdate measures a resolver that sends the same list again, in new arrays.
func sameUpdate(n int, spell time.Duration) func(context.Context, *side) (trial, error) {
	return func(_ context.Context, s *side) (trial, error) {
		f, err := readyFixture(s.roundRobin, n)
		again := endpointList(n, 443)
		return trial{run: func(context.Context) ([]float64, error) {
			var err error
			c := costPer(spell, func() { err = f.resolve(again) })
			return []float64{millis(c.time), c.mallocs}, err
		}}, err
	}
}

// removal measures a resolver update that lacks one endpoint. In between, the
// endpoint comes back.
func removal(n int) func(context.Context, *side) (trial, error) {
	return func(_ context.Context, s *side) (trial, error) {
		f, err := readyFixture(s.roundRobin, n)
		f.autoReady = true
		return trial{run: func(context.Context) ([]float64, error) {
			fewer := endpointList(n-1, 443)
			var err error
			c := costOf(func() {
				if err = f.resolve(fewer); err == nil {
					f.drain()
				}
			})
			if err == nil {
				err = f.allReady(n - 1)
			}
			if err == nil {
				err = f.resolve(endpointList(n, 443))
				f.drain()
			}
			return []float64{millis(c.time)}, err
		}}, err
	}
}

// retained measures how much memory becomes free when the channel lets go of a
// balancer with n READY endpoints, while the resolver's list and the SubConns
// stay.
func retained(n int) func(context.Context, *side) ([]float64, error) {
	return func(_ context.Context, s *side) ([]float64, error) {
		f, err := readyFixture(s.roundRobin, n)
		if err != nil {
			return nil, err
		}
		with := heap()
		f.forget()
		f.balancer = nil
		without := heap()
		if f.list == nil || len(f.arena) != n { // Also keeps both alive.
			return nil, fmt.Errorf("%d SubConns, want %d", len(f.arena), n)
		}
		bytes := float64(with.HeapAlloc) - float64(without.HeapAlloc)
		objects := float64(with.HeapObjects) - float64(without.HeapObjects)
		return []float64{bytes / float64(n), objects / float64(n)}, nil
	}
}

func heap() runtime.MemStats {
	runtime.GC()
	runtime.GC() // The first only makes sync.Pools let go.
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m
}
