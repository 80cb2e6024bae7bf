package main

// A selection is a set of packages, as patterns relative to the grpc module, and
// the tests to run in them.
type selection struct {
	patterns []string
	run      string // as go test -run; empty for all
}

// quickTests are the tests of ./test that round_robin and pick_first decide.
const quickTests = "^Test$/^(RoundRobin|BalancerSwitch|ResolverUpdate|PickFirst|WaitForReady|DoneInfo|" +
	"SubConn|ServersSwap|MetadataIn|InvalidMetadataInPickResult|StateTransition|HealthCheck|" +
	"ClientConnClose_|DialWithMultipleBackends|GoAway)"

// quick takes less than two minutes on two cores.
var quick = []selection{
	{patterns: []string{
		"./balancer/endpointsharding",
		"./balancer/lazy",
		"./balancer/leastrequest",
		"./balancer/pickfirst",
		"./balancer/ringhash",
		"./balancer/weightedroundrobin",
		"./balancer/weightedtarget",
		"./internal/balancergroup",
		"./internal/resolver/delegatingresolver",
		"./internal/resolver/dns",
		"./internal/xds/balancer/clustermanager/...",
		"./internal/xds/balancer/outlierdetection/...",
		"./internal/xds/balancer/priority",
	}},
	{patterns: []string{"./test"}, run: quickTests},
}

// full is every package; those whose test binaries do not contain an overridden
// policy are left out.
var full = []selection{{patterns: []string{"./..."}}}

func choose(c config) []selection {
	switch {
	case len(c.packages) > 0:
		return []selection{{patterns: c.packages, run: c.pattern}}
	case c.full:
		return full
	default:
		return quick
	}
}
