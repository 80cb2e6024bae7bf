package pickfirst

import (
	"math"
	"strconv"
	"testing"

	"google.golang.org/grpc/experimental/balancer/weight"
	"google.golang.org/grpc/resolver"
)

// B6: endpoint i is first with probability w_i / sum of all w.
func TestB6ShuffleFollowsWeights(t *testing.T) {
	var list []resolver.Endpoint
	for w := range 4 {
		e := resolver.Endpoint{Addresses: []resolver.Address{{Addr: strconv.Itoa(w + 1)}}}
		list = append(list, weight.Set(e, weight.EndpointInfo{Weight: uint32(w + 1)}))
	}
	const rounds = 20000
	for _, weighted := range []bool{true, false} {
		first := map[string]int{}
		for range rounds {
			first[shuffle(list, weighted)[0].Addresses[0].Addr]++
		}
		for w := 1; w <= 4; w++ {
			p := 0.25
			if weighted {
				p = float64(w) / 10
			}
			// Six standard deviations: one run in 10^8 fails by chance.
			got, want, slack := float64(first[strconv.Itoa(w)]), rounds*p, 6*math.Sqrt(rounds*p*(1-p))
			if math.Abs(got-want) > slack {
				t.Errorf("weighted=%v: endpoint of weight %d first %v times, want %v +- %.0f", weighted, w, got, want, slack)
			}
		}
	}
}

// B6: grpc-go reads its switch in any case.
func TestB6WeightsCountUnlessTheEnvironmentSaysFalse(t *testing.T) {
	for value, want := range map[string]bool{"": true, "true": true, "0": true, "false": false, "False": false, "FALSE": false} {
		t.Setenv("GRPC_EXPERIMENTAL_PF_WEIGHTED_SHUFFLING", value)
		if got := weightsCount(); got != want {
			t.Errorf("weights count with %q: %v, want %v", value, got, want)
		}
	}
}
