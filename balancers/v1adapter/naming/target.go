package naming

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
)

const defaultPort = "443"

var errNoTarget = errors.New("naming: target is empty, want host, host:port or an IP address")

// splitTarget takes a target apart: "host", "host:port", "[v6]:port", "v6" or
// ":port". The defaults are localhost and 443.
func splitTarget(target string) (host, port string, err error) {
	if target == "" {
		return "", "", errNoTarget
	}
	if _, err := netip.ParseAddr(target); err == nil {
		return target, defaultPort, nil
	}
	host, port, err = net.SplitHostPort(target)
	if err != nil {
		if host, port, err = net.SplitHostPort(target + ":" + defaultPort); err != nil {
			return "", "", fmt.Errorf("naming: invalid target %q: %w: want host, host:port or an IP address", target, err)
		}
	}
	if host == "" {
		host = "localhost"
	}
	if port == "" {
		port = defaultPort
	}
	return host, port, nil
}
