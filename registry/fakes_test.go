package registry_test

import (
	"encoding/json"
	"errors"
	"time"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/serviceconfig"
)

// fakeBalancer is a builder without a config.
type fakeBalancer struct{ name string }

func (b fakeBalancer) Name() string { return b.name }

func (fakeBalancer) Build(balancer.ClientConn, balancer.BuildOptions) balancer.Balancer { return nil }

// fakeParser is a builder with a config.
type fakeParser struct{ fakeBalancer }

// fakeConfig is fakeParser's config.
type fakeConfig struct {
	serviceconfig.LoadBalancingConfig `json:"-"`
	common

	Choices int      `json:"choices"`
	Labels  []string `json:"labels"`
	Untag   string
	Free    any               `json:"free"`
	Own     json.RawMessage   `json:"own"`
	Weights map[string]uint8  `json:"weights"`
	Child   *struct{ A bool } `json:"child"`
	Number  json.Number       `json:"number"`
	Bytes   []byte            `json:"bytes"`
	Ratio   float64           `json:"ratio"`
	Quoted  int               `json:"quoted,string"`
	At      time.Time         `json:"at"`
	private int
}

type common struct {
	Zone string `json:"zone"`
}

var errChoices = errors.New("choices must be even")

func (fakeParser) ParseConfig(js json.RawMessage) (serviceconfig.LoadBalancingConfig, error) {
	var c fakeConfig
	if err := json.Unmarshal(js, &c); err != nil {
		return nil, err
	}
	if c.Choices%2 == 1 {
		return nil, errChoices
	}
	c.private = c.Choices
	return c, nil
}

// fakeResolver is a builder of a type that cannot be compared.
type fakeResolver struct {
	scheme string
	_      []int
}

func (b fakeResolver) Scheme() string { return b.scheme }

func (fakeResolver) Build(resolver.Target, resolver.ClientConn, resolver.BuildOptions) (resolver.Resolver, error) {
	return nil, errors.New("fake resolver")
}
