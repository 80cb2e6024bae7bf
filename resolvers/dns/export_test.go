package dns

import (
	"time"

	"google.golang.org/grpc/resolver"

	"github.com/evenkeel-grpc/evenkeel/resolvers/dns/internal/hostconf"
	"github.com/evenkeel-grpc/evenkeel/resolvers/dns/internal/lookup"
)

// WithHost puts a host with other files in the place of this one.
func WithHost(h *hostconf.Host) Option { return optionFunc(func(b *builder) { b.local = h }) }

// WithCache puts another cache in the place of the process's.
func WithCache(c *lookup.Cache) Option { return optionFunc(func(b *builder) { b.cache = c }) }

// ParseTarget tells how a target is read, for fuzzing.
func ParseTarget(t resolver.Target) (host, port string, servers []string, err error) {
	c, err := parseTarget(t)
	return c.host, c.port, c.servers, err
}

// Choose is choose for a client with this name, and this luck with percentages.
func Choose(text, hostname string, roll int) (string, error) {
	return choose(text, client{hostname: hostname, roll: roll})
}

// ConfigText is configText.
var ConfigText = configText

// Patience is how long addresses wait for their service config.
const Patience = patience

// MinResolutionInterval returns what SetMinResolutionInterval has set.
func MinResolutionInterval() time.Duration { return minResolutionInterval }

// ResolvingTimeout returns what SetResolvingTimeout has set.
func ResolvingTimeout() time.Duration { return resolvingTimeout }
