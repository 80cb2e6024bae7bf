package main

import "fmt"

// target is what a row has to reach.
type target struct {
	text string
	met  func(r result) bool
}

// targets maps rowKey to the target of a row. Other rows have none.
var targets = map[string]target{
	rowKey(burstTime.name, 2000):                          timesFaster(500),
	rowKey(burstBytes.name, 2000):                         atMost(2, burstBytes.unit),
	rowKey(burstTime.name, 10_000):                        atMost(20, burstTime.unit),
	rowKey(burstTime.name, 100_000):                       atMost(250, burstTime.unit),
	rowKey(burstGrowth.name, 100_000):                     atMost(1.15, burstGrowth.unit),
	rowKey(stepTime.name, 10_000):                         atMost(150, stepTime.unit),
	rowKey(flapTime.name, 10_000):                         atMost(10, flapTime.unit),
	rowKey(sameTime.name, 10_000):                         atMost(0.2, sameTime.unit),
	rowKey(sameMallocs.name, 10_000):                      atMost(0, sameMallocs.unit),
	rowKey(removeTime.name, 10_000):                       atMost(2, removeTime.unit),
	rowKey(retainedBytes.name, 10_000):                    atMost(450, retainedBytes.unit),
	rowKey("Pick round_robin, 1 core", 100):               atMost(9, "ns"),
	rowKey("Pick round_robin, 2 cores", 100):              atMost(20, "ns"),
	rowKey("Pick pick_first, 1 core", 1):                  atMost(2.5, "ns"),
	rowKey("Pick pick_first, 2 cores", 1):                 atMost(2.5, "ns"),
	rowKey("Pick round_robin, 1 core: allocations", 100):  atMost(0, ""),
	rowKey("Pick round_robin, 2 cores: allocations", 100): atMost(0, ""),
	rowKey("Pick pick_first, 1 core: allocations", 1):     atMost(0, ""),
	rowKey("Pick pick_first, 2 cores: allocations", 1):    atMost(0, ""),
	rowKey(blockedPicks.name, 1000):                       atMost(20_000, ""),
	rowKey(latency.name, 1):                               ratioAtMost(1.02),
	rowKey(latency.name, 100):                             ratioAtMost(1.02),
	rowKey(latency.name, 1000):                            ratioAtMost(1.02),
	rowKey(throughput.name, 1):                            ratioAtMost(1.02),
	rowKey(throughput.name, 100):                          ratioAtMost(1.02),
	rowKey(throughput.name, 1000):                         ratioAtMost(1.02),
	rowKey(startCPU.name, 4000):                           ratioAtMost(0.9),
}

func atMost(limit float64, unit string) target {
	return target{"≤ " + quantity(limit, unit), func(r result) bool { return r.Evenkeel <= limit }}
}

func ratioAtMost(limit float64) target {
	return target{"ratio ≤ " + number(limit), func(r result) bool { return r.Ratio != nil && *r.Ratio <= limit }}
}

func timesFaster(factor float64) target {
	return target{fmt.Sprintf("≥ %g times faster", factor), func(r result) bool {
		return r.GRPC != nil && *r.GRPC >= factor*r.Evenkeel
	}}
}
