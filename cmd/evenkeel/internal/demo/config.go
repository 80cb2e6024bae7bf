package demo

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/evenkeel-grpc/evenkeel/registry"
)

// ErrInterrupted is returned by [Run] if its context ended before the demo.
var ErrInterrupted = errors.New("interrupted")

// Config is what the command's flags set.
type Config struct {
	Backends int           // servers at the start, 3 to 100
	Policy   string        // name of a registered balancer
	Duration time.Duration // of the RPCs, 5s to 1h
	Rate     float64       // RPCs per second; 0 means as fast as one worker goes
	JSON     bool          // print only the report, as JSON
}

// DefaultConfig returns the flags' defaults.
func DefaultConfig() Config {
	return Config{Backends: 5, Policy: "round_robin", Duration: 8 * time.Second}
}

// Bounds of the flags. A shorter demo would end before the crashed server's
// lease does; at a lower rate the shares mean nothing.
const (
	minBackends, maxBackends = 3, 100
	minDuration, maxDuration = 5 * time.Second, time.Hour
	minRate, maxRate         = 100, 1e6
)

func (c Config) check() error {
	switch {
	case c.Backends < minBackends || c.Backends > maxBackends:
		return fmt.Errorf("--backends %d: want %d to %d", c.Backends, minBackends, maxBackends)
	case c.Duration < minDuration || c.Duration > maxDuration:
		return fmt.Errorf("--duration %v: want %v to %v", c.Duration, minDuration, maxDuration)
	case c.Rate != 0 && !(c.Rate >= minRate && c.Rate <= maxRate):
		return fmt.Errorf("--rate %v: want 0, or %d to %.0f RPCs per second", c.Rate, minRate, maxRate)
	}
	if c.Policy == "pick_first" {
		return fmt.Errorf("--policy %q: it stays with one backend: want one that uses all, such as %q", c.Policy, DefaultConfig().Policy)
	}
	if _, err := registry.Default.Balancer(c.Policy); err != nil {
		return fmt.Errorf("--policy: %w", err)
	}
	return nil
}

// serviceConfig selects the policy, and lets RPCs that were in flight on a
// server that crashed be tried again on another.
func (c Config) serviceConfig() (string, error) {
	type object map[string]any
	js, err := json.Marshal(object{
		"loadBalancingConfig": []object{{c.Policy: object{}}},
		"methodConfig": []object{{
			"name": []object{{}}, // every method
			"retryPolicy": object{
				"maxAttempts":          4,
				"initialBackoff":       "0.01s",
				"maxBackoff":           "0.1s",
				"backoffMultiplier":    2,
				"retryableStatusCodes": []string{"UNAVAILABLE"},
			},
		}},
	})
	return string(js), err
}
