package main

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// callers is how many RPCs are in flight in the throughput rows.
const callers = 64

// connectTime is how long the slowest machine may take to connect everything.
const connectTime = 2 * time.Minute

// The rows on real channels.
var (
	blockedPicks = metric{"Pick calls for as many blocked RPCs", ""}
	latency      = metric{"unary RPC, one at a time", "µs"}
	throughput   = metric{"unary RPC, 64 at a time, each", "µs"}
	startCPU     = metric{"CPU to READY and 5 RPCs per backend", "s"}
)

// channelExperiments returns the experiments on real channels.
func channelExperiments(s scale, b *backend) []experiment {
	list := []experiment{{
		n: s.refusing, pairs: 1, setup: once(blocked(s.refusing, s.blocked)),
		metrics: []metric{blockedPicks},
	}}
	for _, n := range s.channels {
		list = append(list, experiment{
			n: n, pairs: s.channelPairs, setup: traffic(b, n, s.channelSpell),
			metrics: []metric{latency, throughput},
		})
	}
	return append(list, experiment{
		n: s.backends, pairs: 3, setup: once(startUp(b, s.backends)),
		metrics: []metric{startCPU},
	})
}

// blocked counts the Pick calls for n RPCs that wait for one of n backends, all
// of which refuse connections.
func blocked(n int, wait time.Duration) func(context.Context, *side) ([]float64, error) {
	return func(ctx context.Context, s *side) ([]float64, error) {
		c := newCensus(1)
		c.countPicks = true
		cc, err := dial(s, c, endpointList(n, 1)) // Nobody listens on port 1.
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(ctx, wait)
		defer cancel()
		var wrong atomic.Pointer[error]
		var wg sync.WaitGroup
		for range n {
			wg.Go(func() {
				if err := echo(ctx, cc, grpc.WaitForReady(true)); status.Code(err) != codes.DeadlineExceeded {
					wrong.Store(&err)
				}
			})
		}
		wg.Wait()
		picks := c.picks.Load()
		if err := wrong.Load(); err != nil {
			return nil, errors.Join(errors.New("an RPC ended before its deadline"), *err, cc.Close())
		}
		return []float64{float64(picks)}, cc.Close()
	}
}

// traffic measures RPCs over n connections: the median latency of RPCs that
// follow each other, and the time per RPC with many in flight.
func traffic(b *backend, n int, spell time.Duration) func(context.Context, *side) (trial, error) {
	return func(ctx context.Context, s *side) (trial, error) {
		connecting, cancel := context.WithTimeout(ctx, connectTime)
		defer cancel()
		cc, err := dialReady(connecting, s, endpointList(n, b.port))
		if err != nil {
			return trial{}, err
		}
		t := trial{close: func() { _ = cc.Close() }}
		t.run = func(ctx context.Context) ([]float64, error) {
			one, err := medianLatency(ctx, cc, spell)
			if err != nil {
				return nil, err
			}
			many, err := timePerRPC(ctx, cc, spell)
			return []float64{one, many}, err
		}
		_, err = t.run(ctx) // warms up
		return t, err
	}
}

func medianLatency(ctx context.Context, cc *grpc.ClientConn, spell time.Duration) (float64, error) {
	var took []time.Duration
	for begin := time.Now(); time.Since(begin) < spell || len(took) == 0; {
		start := time.Now()
		if err := echo(ctx, cc); err != nil {
			return 0, err
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	return micros(took[len(took)/2]), nil
}

func timePerRPC(ctx context.Context, cc *grpc.ClientConn, spell time.Duration) (float64, error) {
	var calls atomic.Int64
	start := time.Now()
	err := callMany(ctx, cc, callers, func() bool {
		return time.Since(start) < spell && calls.Add(1) > 0
	})
	return micros(time.Since(start)) / float64(max(calls.Load(), 1)), err
}

// startUp measures the CPU time, of clients and server together, until n
// backends are READY and five RPCs for each are done.
func startUp(b *backend, n int) func(context.Context, *side) ([]float64, error) {
	return func(ctx context.Context, s *side) ([]float64, error) {
		ctx, cancel := context.WithTimeout(ctx, connectTime)
		defer cancel()
		list := endpointList(n, b.port)
		before, err := cpuTime()
		if err != nil {
			return nil, err
		}
		cc, err := dialReady(ctx, s, list)
		if err != nil {
			return nil, err
		}
		left := atomic.Int64{}
		left.Store(int64(5 * n))
		err = callMany(ctx, cc, callers, func() bool { return left.Add(-1) >= 0 })
		after, cpuErr := cpuTime()
		return []float64{(after - before).Seconds()}, errors.Join(err, cpuErr, cc.Close())
	}
}

// cpuTime returns what the process has used so far.
func cpuTime() (time.Duration, error) {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0, err
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), nil
}
