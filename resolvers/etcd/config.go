package etcd

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// config is what a target says.
type config struct {
	place
	grace time.Duration
}

// place is where the endpoints are. Channels with equal places, and the same
// client if they have one, share a list and a watch.
type place struct {
	access
	client    string // that RegisterClient knows, or ""
	prefix    string // of the keys; ends in "/"
	configKey string // of the service config, or ""
	format    format
	page      int64 // the most keys to ask for at once
}

// access is how to connect. Sources with equal ones share a client.
type access struct {
	hosts             string // each host:port, sorted, joined by commas; "" if a client is meant
	caFile            string
	certFile, keyFile string
	serverName        string
	user              string
	passwordFile      string
	dialTimeout       time.Duration
}

// parseTarget reads a target. Its errors show no user, no password and no
// parameter that this package does not know.
func parseTarget(u url.URL) (cfg config, err error) {
	switch {
	case u.User != nil:
		return cfg, errors.New("no user and password here, since targets are logged; want the parameters user and password-file, or a client that has them through WithClient")
	case u.Opaque != "":
		return cfg, errors.New("no slashes after the scheme; want etcd:///prefix or etcd://host:port/prefix")
	case u.Fragment != "":
		return cfg, errors.New(`a "#" in the key prefix is written %23`)
	}
	p, err := readParams(u.RawQuery)
	if err != nil {
		return cfg, err
	}
	hosts, path := u.Host, u.Path
	if p.key != "" {
		if hosts, path, err = goZero(u, p.key); err != nil {
			return cfg, err
		}
	}
	cfg = p.config
	if cfg.hosts, err = parseHosts(hosts); err != nil {
		return cfg, err
	}
	if cfg.prefix, err = parsePrefix(path); err != nil {
		return cfg, err
	}
	cfg.prefix = p.namespace + cfg.prefix
	if cfg.configKey != "" {
		cfg.configKey = p.namespace + cfg.configKey
	}
	return cfg, cfg.check()
}

// goZero takes a target that names its key in a parameter apart: its hosts are
// where others have the host, or the path.
func goZero(u url.URL, key string) (hosts, path string, err error) {
	inPath := strings.Trim(u.Path, "/")
	if u.Host != "" && inPath != "" {
		return "", "", errors.New("a key prefix and the parameter key (want one of them)")
	}
	return u.Host + inPath, "/" + key, nil
}

// redact returns the part of a target that never holds a secret.
func redact(u url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}).String()
}

// parseHosts returns the hosts in an order that does not depend on how they were
// written.
func parseHosts(list string) (string, error) {
	if list == "" {
		return "", nil
	}
	hosts := strings.Split(strings.ToLower(list), ",")
	for _, h := range hosts {
		if err := checkHost(h); err != nil {
			return "", err
		}
	}
	slices.Sort(hosts)
	return strings.Join(slices.Compact(hosts), ","), nil
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

// check finds what does not go together.
func (c *config) check() error {
	switch {
	case (c.certFile == "") != (c.keyFile == ""):
		return errors.New("one of the parameters cert-file and key-file (want both or none)")
	case (c.user == "") != (c.passwordFile == ""):
		return errors.New("one of the parameters user and password-file (want both or none)")
	case c.client != "" && c.hosts != "":
		return errors.New("hosts and the parameter client (want one of them)")
	case c.hosts == "" && c.access != access{dialTimeout: defaultDialTimeout}:
		return fmt.Errorf("parameter %s without hosts: a client of the program has its own", c.firstOf())
	}
	return nil
}

// firstOf names a parameter that is about the connection.
func (a access) firstOf() string {
	switch {
	case a.caFile != "":
		return "ca-file"
	case a.certFile != "":
		return "cert-file"
	case a.serverName != "":
		return "server-name"
	case a.user != "":
		return "user"
	}
	return "dial-timeout"
}

// tls tells whether the connection is to be encrypted.
func (a access) tls() bool { return a.caFile != "" || a.certFile != "" || a.serverName != "" }
