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
	rowKey(burstTime.name, 10_000):                        atMostWhere(20, 19_600, burstTime.unit),
	rowKey(burstTime.name, 100_000):                       atMost(250, burstTime.unit),
	rowKey(burstGrowth.name, 100_000):                     atMost(1.15, burstGrowth.unit),
	rowKey(stepTime.name, 10_000):                         atMostWhere(150, 19_600, stepTime.unit),
	rowKey(flapTime.name, 10_000):                         atMostWhere(10, 1840, flapTime.unit),
	rowKey(sameTime.name, 10_000):                         atMostWhere(0.2, 15.7, sameTime.unit),
	rowKey(sameMallocs.name, 10_000):                      atMost(0, sameMallocs.unit),
	rowKey(removeTime.name, 10_000):                       atMostWhere(2, 20, removeTime.unit),
	rowKey(retainedBytes.name, 10_000):                    atMost(450, retainedBytes.unit),
	rowKey("Pick round_robin, 1 core", 100):               atMostWhere(9, 18, "ns"),
	rowKey("Pick round_robin, 2 cores", 100):              atMostWhere(20, 54, "ns"),
	rowKey("Pick pick_first, 1 core", 1):                  atMostWhere(2.5, 2.3, "ns"),
	rowKey("Pick pick_first, 2 cores", 1):                 atMostWhere(2.5, 2.3, "ns"),
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

// atMostWhere is a limit that was set on a machine where grpc-go took grpcGo. On
// another one it is also met by what is as far below grpc-go's figure there.
func atMostWhere(limit, grpcGo float64, unit string) target {
	return target{"≤ " + quantity(limit, unit) + " where grpc-go takes " + quantity(grpcGo, unit), func(r result) bool {
		return r.Evenkeel <= limit || r.Ratio != nil && *r.Ratio <= limit/grpcGo
	}}
}

func ratioAtMost(limit float64) target {
	return target{"ratio ≤ " + number(limit), func(r result) bool { return r.Ratio != nil && *r.Ratio <= limit }}
}

func timesFaster(factor float64) target {
	return target{fmt.Sprintf("≥ %g times faster", factor), func(r result) bool {
		return r.GRPC != nil && *r.GRPC >= factor*r.Evenkeel
	}}
}
