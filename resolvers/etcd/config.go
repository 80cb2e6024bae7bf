package etcd

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/evenkeel-grpc/evenkeel/resolvers/internal/param"
	"github.com/evenkeel-grpc/evenkeel/resolvers/internal/watch"
)

// config is what a target says.
type config struct {
	hosts  []string // each host:port; empty if the builder's client is meant
	prefix string   // of the keys; ends in "/"
	grace  time.Duration
}

// parseTarget reads a target. Its errors show no user, no password and no
// parameter that this package does not know.
func parseTarget(u url.URL) (cfg config, err error) {
	switch {
	case u.User != nil:
		return cfg, errors.New("no user and password here; give the resolver a client that has them through WithClient")
	case u.Opaque != "":
		return cfg, errors.New("no slashes after the scheme; want etcd:///prefix or etcd://host:port/prefix")
	case u.Fragment != "":
		return cfg, errors.New(`a "#" in the key prefix is written %23`)
	}
	if cfg.hosts, err = parseHosts(u.Host); err != nil {
		return cfg, err
	}
	if cfg.prefix, err = parsePrefix(u.Path); err != nil {
		return cfg, err
	}
	cfg.grace, err = parseParams(u.RawQuery)
	return cfg, err
}

// redact returns the part of a target that never holds a secret.
func redact(u url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}).String()
}

func parseHosts(list string) ([]string, error) {
	if list == "" {
		return nil, nil
	}
	hosts := strings.Split(list, ",")
	for _, h := range hosts {
		if err := checkHost(h); err != nil {
			return nil, err
		}
	}
	return hosts, nil
}

func checkHost(hostport string) error {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil || host == "" {
		return fmt.Errorf("host %q: want host:port (for a key prefix without a host write three slashes: etcd:///prefix)", hostport)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return fmt.Errorf("host %q: port %q: want 1 to 65535", hostport, port)
	}
	return nil
}

// parsePrefix makes a key prefix from a path. The slash that separates it from
// the host is not part of it; the one that it ends in keeps payments from
// matching payments-test.
func parsePrefix(path string) (string, error) {
	prefix := strings.TrimPrefix(path, "/")
	if strings.Trim(prefix, "/") == "" {
		return "", errors.New("no key prefix; want e.g. etcd:///services/payments")
	}
	if !strings.HasSuffix(prefix, "/") {
		prefix += "/"
	}
	return prefix, nil
}

func parseParams(query string) (grace time.Duration, err error) {
	params, err := param.Parse(query, "grace")
	if err != nil {
		return 0, err
	}
	text, ok := params["grace"]
	if !ok {
		return watch.DefaultGrace, nil
	}
	grace, err = time.ParseDuration(text)
	if err != nil || grace < 0 {
		return 0, fmt.Errorf("parameter grace=%q: want a duration that is not negative, such as 30s", text)
	}
	return grace, nil
}
