package pickfirst

import (
	"encoding/json"
	"fmt"
	"time"

	"google.golang.org/grpc/serviceconfig"
)

// Config is the policy's part of the service config. The zero value is the
// default.
type Config struct {
	serviceconfig.LoadBalancingConfig `json:"-"`

	// ShuffleAddressList puts the endpoints into a random order before they are
	// tried, heavier ones first with more probability (gRFC A62, A113). The
	// addresses of one endpoint stay together and in order. Default false.
	ShuffleAddressList bool `json:"shuffleAddressList"`

	// Failback is how often, while connected to an address that is not the
	// first, the ones before it are tried again in the background: a duration
	// such as "30s", at least "1s". The policy moves over when one of them is
	// READY. Default none: the connection is kept, as grpc-go does. Anything
	// else is ignored with a log line, because grpc-go ignores the whole field;
	// registry.CheckServiceConfig refuses it.
	// It does not apply under a parent policy that uses the health listener.
	Failback Failback `json:"failback"`
}

// Failback is an interval in a [Config]; zero means never.
type Failback time.Duration

// minFailback keeps a typing error from becoming a connection storm.
const minFailback = time.Second

// UnmarshalJSON implements json.Unmarshaler. It never fails.
func (f *Failback) UnmarshalJSON(js []byte) error {
	d, err := parseFailback(js)
	if err != nil {
		logger.Warningf("pick_first: failback %s is ignored: %v", js, err)
	}
	*f = Failback(d)
	return nil
}

// parseFailback returns 0 for null, and with an error.
func parseFailback(js []byte) (time.Duration, error) {
	if string(js) == "null" {
		return 0, nil
	}
	var text string
	var d time.Duration
	err := json.Unmarshal(js, &text)
	if err == nil {
		d, err = time.ParseDuration(text)
	}
	if err != nil || d < minFailback {
		return 0, fmt.Errorf("want a duration of at least %v, such as \"30s\"", minFailback)
	}
	return d, nil
}

// strictConfig is Config for the strict check of service configs, which refuses
// what is ignored at run time.
type strictConfig struct {
	Config

	Failback strictFailback `json:"failback"`
}

type strictFailback struct{}

// UnmarshalJSON implements json.Unmarshaler.
func (strictFailback) UnmarshalJSON(js []byte) error {
	_, err := parseFailback(js)
	return err
}

// ParseConfig implements balancer.ConfigParser. It accepts what grpc-go's
// pick_first accepts.
func (builder) ParseConfig(js json.RawMessage) (serviceconfig.LoadBalancingConfig, error) {
	var cfg Config
	if err := json.Unmarshal(js, &cfg); err != nil {
		// The text is grpc-go's.
		return nil, fmt.Errorf("pickfirst: unable to unmarshal LB policy config: %s, error: %w", js, err)
	}
	return cfg, nil
}
