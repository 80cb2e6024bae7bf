package e2e

import (
	"slices"
	"strconv"
	"testing"
	"time"
)

// BenchmarkEtcdConverge measures, with three members, ten other backends and one
// caller, the time from the beginning of a put to the end of the first RPC on the
// new backend, and from the beginning of a delete to that of the last RPC on the
// old one before ten rounds without any. Changes are so rare that none has to
// wait for its turn.
func BenchmarkEtcdConverge(b *testing.B) {
	s := startEtcdCluster(b, 3)
	c := s.client(b)
	for i := range 10 {
		put(b, c, "x/"+strconv.Itoa(i), startBackend(b).addr)
	}
	extra := startBackend(b)
	cc := dial(b, "etcd://"+s.hosts()+"/x")
	mustCall(b, cc)

	var added, deleted []time.Duration
	for b.Loop() {
		began := time.Now()
		put(b, c, "x/extra", extra.addr)
		for mustCall(b, cc) != extra.addr {
		}
		added = append(added, time.Since(began))

		began = time.Now()
		remove(b, c, "x/extra")
		last := began
		for quiet := 0; quiet < 110; quiet++ {
			if mustCall(b, cc) == extra.addr {
				quiet, last = 0, time.Now()
			}
		}
		deleted = append(deleted, last.Sub(began))
		time.Sleep(250 * time.Millisecond)
	}
	report := func(name string, d []time.Duration) {
		slices.Sort(d)
		b.ReportMetric(float64(d[len(d)/2].Microseconds())/1000, name+"-p50-ms")
		b.ReportMetric(float64(d[len(d)*99/100].Microseconds())/1000, name+"-p99-ms")
	}
	report("add", added)
	report("delete", deleted)
}
