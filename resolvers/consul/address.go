package consul

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/hashicorp/consul/api"
)

// address returns where an instance serves, as grpc dials it. which names one of
// its tagged addresses; empty means the usual one.
func address(e *api.ServiceEntry, which string) (string, error) {
	if which != "" {
		return tagged(e, which)
	}
	if a, ok := e.Service.TaggedAddresses["grpc"]; ok && strings.Contains(a.Address, "://") {
		return fromURL(a.Address) // as kratos registers; the port may be another protocol's
	}
	return usual(e)
}

// usual is the service's address, else the node's.
func usual(e *api.ServiceEntry) (string, error) {
	port := e.Service.DefaultPort()
	if port == 0 && e.Service.SocketPath != "" {
		return "unix:" + e.Service.SocketPath, nil
	}
	return join(cmp.Or(e.Service.Address, e.Node.Address), port)
}

// tagged returns a tagged address of the service, else of its node. As in Consul
// itself, lan and wan are the usual address if there is no other.
func tagged(e *api.ServiceEntry, which string) (string, error) {
	if a, ok := e.Service.TaggedAddresses[which]; ok && a.Address != "" {
		if strings.Contains(a.Address, "://") {
			return fromURL(a.Address)
		}
		return join(a.Address, cmp.Or(a.Port, e.Service.DefaultPort()))
	}
	if a := e.Node.TaggedAddresses[which]; a != "" && e.Service.Address == "" {
		return join(a, e.Service.DefaultPort())
	}
	if which == "lan" || which == "wan" {
		return usual(e)
	}
	return "", fmt.Errorf("no tagged address %q", which)
}

// fromURL reads grpc://host:port.
func fromURL(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "grpc" && u.Scheme != "grpcs" {
		return "", fmt.Errorf("tagged address %q: want grpc://host:port", text)
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		return "", fmt.Errorf("tagged address %q: no port", text)
	}
	return join(u.Hostname(), port)
}

func join(host string, port int) (string, error) {
	switch {
	case host == "":
		return "", errors.New("no address")
	case port < 1 || port > 65535:
		return "", fmt.Errorf("port %d: want 1 to 65535", port)
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	return net.JoinHostPort(host, strconv.Itoa(port)), nil
}
