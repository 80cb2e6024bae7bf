package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/balancer"
)

func pickTime(policy string, cores int) metric {
	return metric{fmt.Sprintf("Pick %s, %s", policy, coresText(cores)), "ns"}
}

func pickMallocs(policy string, cores int) metric {
	return metric{fmt.Sprintf("Pick %s, %s: allocations", policy, coresText(cores)), ""}
}

func coresText(cores int) string {
	if cores == 1 {
		return "1 core"
	}
	return fmt.Sprintf("%d cores", cores)
}

// pickExperiments returns the experiments on pickers.
func pickExperiments(s scale) []experiment {
	var list []experiment
	add := func(policy string, n, cores int, b func(*side) balancer.Builder) {
		list = append(list, experiment{
			n: n, pairs: 2*s.pairs + 1, setup: picks(b, n, cores, s.picks),
			metrics: []metric{pickTime(policy, cores), pickMallocs(policy, cores)},
		})
	}
	for _, cores := range []int{1, 2} {
		for _, n := range s.pickers {
			add("round_robin", n, cores, func(s *side) balancer.Builder { return s.roundRobin })
		}
	}
	for _, cores := range []int{1, 2} {
		add("pick_first", 1, cores, func(s *side) balancer.Builder { return s.pickFirst })
	}
	return list
}

// picks measures Pick with n READY endpoints, called on all cores at once.
func picks(builder func(*side) balancer.Builder, n, cores, calls int) func(context.Context, *side) (trial, error) {
	return func(_ context.Context, s *side) (trial, error) {
		f, err := readyFixture(builder(s), n)
		if err != nil {
			return trial{}, err
		}
		p := f.picker()
		return trial{run: func(context.Context) ([]float64, error) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cores))
			var failed atomic.Bool
			c := costOf(func() {
				onEach(cores, func() {
					if !pickMany(p, calls) {
						failed.Store(true)
					}
				})
			})
			if failed.Load() {
				return nil, errors.New("Pick returned an error")
			}
			perPick := float64(c.time) / float64(time.Nanosecond) / float64(calls*cores)
			return []float64{perPick, math.Floor(c.mallocs / float64(calls*cores))}, nil
		}}, nil
	}
}

// pickMany reports whether all calls gave a SubConn.
func pickMany(p balancer.Picker, calls int) bool {
	ok := true
	for range calls {
		if res, err := p.Pick(balancer.PickInfo{}); err != nil || res.SubConn == nil {
			ok = false
		}
	}
	return ok
}

func onEach(cores int, f func()) {
	var wg sync.WaitGroup
	for range cores {
		wg.Go(f)
	}
	wg.Wait()
}
