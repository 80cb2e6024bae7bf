package main

import (
	"context"
	"fmt"
)

// outcome is what one side, baseline or override, has for each suite.
type outcome map[*suite]*pkgResult

// runSuites runs suites in as few go test commands as their patterns allow: go
// test builds and runs the packages of one command in parallel.
func (r *runner) runSuites(ctx context.Context, suites []*suite, override bool, skips func(*suite) string) (outcome, error) {
	type group struct{ run, skip string }
	var order []group
	members := map[group][]*suite{}
	for _, s := range suites {
		g := group{s.run, skips(s)}
		if members[g] == nil {
			order = append(order, g)
		}
		members[g] = append(members[g], s)
	}
	out := outcome{}
	for _, g := range order {
		inv := invocation{run: g.run, skip: g.skip, override: override}
		if override && g.run != "" {
			inv.run = joinPatterns(g.run, exactly(proofTest))
		}
		for _, s := range members[g] {
			inv.pkgs = append(inv.pkgs, s.pkg)
		}
		results, err := r.testAll(ctx, inv)
		if err != nil {
			return nil, err
		}
		for _, s := range members[g] {
			out[s] = results[s.pkg]
		}
	}
	return out, nil
}

// runBaseline runs grpc's tests as they are, except those whose results are in
// the cache.
func runBaseline(ctx context.Context, r *runner, t *tree, suites []*suite) (outcome, error) {
	cache, err := openBaseline(t, r.config.race)
	if err != nil {
		return nil, err
	}
	base := outcome{}
	var missing []*suite
	for _, s := range suites {
		if res := cache.load(s); res != nil && !r.config.noCache {
			base[s] = res
			continue
		}
		missing = append(missing, s)
	}
	logf(r.progress, "baseline: %d of %d packages in %s", len(base), len(suites), cache.dir)
	fresh, err := r.runSuites(ctx, missing, false, func(*suite) string { return "" })
	if err != nil {
		return nil, err
	}
	for _, s := range missing {
		res := fresh[s]
		if err := r.settleBaseline(ctx, s, res); err != nil {
			return nil, err
		}
		if err := cache.store(s, res); err != nil {
			return nil, err
		}
		base[s] = res
	}
	return base, nil
}

// settleBaseline runs what failed again, alone, so that a weak moment does not
// hide a difference.
func (r *runner) settleBaseline(ctx context.Context, s *suite, res *pkgResult) error {
	if r.config.reruns == 0 {
		return nil
	}
	for _, name := range res.failures() {
		again, err := r.alone(ctx, s, name, false)
		if err != nil {
			return err
		}
		if again.failed == 0 {
			res.Tests[name] = &testResult{Passed: 1}
			res.Cleared = append(res.Cleared, name)
		}
		logf(r.progress, "  baseline: %s %s failed; alone: %v", s.name(), name, again)
	}
	return nil
}

func runOverride(ctx context.Context, r *runner, suites []*suite, skips skipList) (outcome, error) {
	return r.runSuites(ctx, suites, true, func(s *suite) string { return skips.pattern(s.name()) })
}

// reruns counts how a test went when it ran by itself.
type reruns struct {
	failed, runs int
	output       string
}

func (n reruns) String() string { return fmt.Sprintf("failed %d of %d times", n.failed, n.runs) }

// alone runs one test by itself, r.config.reruns times; an example runs once,
// whatever the count.
func (r *runner) alone(ctx context.Context, s *suite, name string, override bool) (reruns, error) {
	results, err := r.test(ctx, invocation{
		pkgs: []string{s.pkg}, run: exactly(name), count: r.config.reruns, override: override, silent: true,
		timeout: min(aloneTimeout, r.config.timeout),
	})
	if err != nil {
		return reruns{}, fmt.Errorf("running %s %s again: %w", s.name(), name, err)
	}
	return tally(results[s.pkg], name), nil
}

func tally(res *pkgResult, name string) reruns {
	t := res.Tests[name]
	if t == nil {
		return reruns{failed: 1, runs: 1, output: res.Output}
	}
	n := reruns{failed: t.Failed, runs: t.Passed + t.Failed + t.Skipped, output: t.Output + res.Output}
	if n.failed == 0 && !res.Passed || n.runs == 0 {
		// The process ended in it, or something around it failed.
		n.failed++
		n.runs++
	}
	return n
}
