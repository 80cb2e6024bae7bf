package pickfirst

import (
	"cmp"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"

	"google.golang.org/grpc/experimental/balancer/weight"
	"google.golang.org/grpc/resolver"
)

// weighted says whether endpoint weights count in a shuffle.
var weighted = weightsCount()

// weightsCount reads grpc-go's switch: on unless its environment variable says
// "false", in whatever case.
func weightsCount() bool {
	return !strings.EqualFold(os.Getenv("GRPC_EXPERIMENTAL_PF_WEIGHTED_SHUFFLING"), "false")
}

// shuffle returns the endpoints in a random order. Endpoint i is first with
// probability w_i / sum of all w: each draws u^(1/w) for a u in [0, 1), and the
// highest wins (gRFC A113; Efraimidis and Spirakis, 2006).
func shuffle(list []resolver.Endpoint, weighted bool) []resolver.Endpoint {
	if !weighted {
		mixed := slices.Clone(list)
		rand.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
		return mixed
	}
	type drawn struct {
		endpoint resolver.Endpoint
		key      float64
	}
	draws := make([]drawn, len(list))
	for i, e := range list {
		w := max(weight.FromEndpoint(e).Weight, 1) // unset is 0
		draws[i] = drawn{e, math.Pow(rand.Float64(), 1/float64(w))}
	}
	slices.SortFunc(draws, func(a, b drawn) int { return cmp.Compare(b.key, a.key) })
	mixed := make([]resolver.Endpoint, len(list))
	for i, d := range draws {
		mixed[i] = d.endpoint
	}
	return mixed
}
