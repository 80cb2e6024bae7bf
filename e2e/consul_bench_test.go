package e2e

import (
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
)

// BenchmarkConsulConverge measures, with one other backend and two callers, the
// time from the beginning of a registration to the end of the first RPC on the
// new backend, and from the beginning of a failing check, or a deregistration, to
// the end of the last one.
func BenchmarkConsulConverge(b *testing.B) {
	s := startConsul(b)
	s.register(b, "x", startBackend(b))
	extra := startBackend(b)
	cc := dial(b, s.target("x"))
	mustCall(b, cc)
	load := startCallers(b, cc)

	comes := func(change func()) time.Duration {
		began := time.Now()
		change()
		for !load.lastOn(extra.addr).After(began) {
			time.Sleep(100 * time.Microsecond)
		}
		return load.lastOn(extra.addr).Sub(began)
	}
	goes := func(change func()) time.Duration {
		began := time.Now()
		change()
		for time.Since(load.lastOn(extra.addr)) < 100*time.Millisecond {
			time.Sleep(10 * time.Millisecond)
		}
		return max(load.lastOn(extra.addr).Sub(began), 0) // 0 if there was none after it began
	}
	var added, failed, passed, removed []time.Duration
	for b.Loop() {
		added = append(added, comes(func() { s.register(b, "x", extra, withTTL(api.HealthPassing)) }))
		failed = append(failed, goes(func() { s.setCheck(b, extra, api.HealthCritical) }))
		passed = append(passed, comes(func() { s.setCheck(b, extra, api.HealthPassing) }))
		removed = append(removed, goes(func() { s.deregister(b, extra) }))
	}
	load.mustNotHaveFailed(b)
	for name, d := range map[string][]time.Duration{"register": added, "fail": failed, "pass": passed, "deregister": removed} {
		slices.Sort(d)
		b.ReportMetric(float64(d[len(d)/2].Microseconds())/1000, name+"-p50-ms")
		b.ReportMetric(float64(d[len(d)*99/100].Microseconds())/1000, name+"-p99-ms")
	}
}
