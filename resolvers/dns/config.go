package dns

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	mdns "github.com/miekg/dns"
	"google.golang.org/grpc/resolver"

	"github.com/evenkeel-grpc/evenkeel/resolvers/internal/param"
)

const (
	defaultPort    = "443"
	defaultDNSPort = "53"
	defaultTLSPort = "853"

	defaultMin   = 5 * time.Second
	defaultMax   = 5 * time.Minute
	defaultGrace = 5 * time.Minute

	// leastRefresh keeps a mistake from becoming a flood.
	leastRefresh = 100 * time.Millisecond

	// defaultWait lets an RPC with a deadline of 100 ms fail with the cause.
	defaultWait = 85 * time.Millisecond
)

// config is what a target says.
type config struct {
	servers []string // of the authority, each host:port; empty if the host's are meant
	host    string   // a name, or an address with its zone
	port    string
	params
}

// params is what the query part of a target says.
type params struct {
	refresh    refresh
	min, max   time.Duration
	grace      time.Duration
	wait       time.Duration // for a sign of life of the name servers, at the start
	srv        bool
	serverName bool   // the SRV target's name is the TLS server name
	groupHost  bool   // all addresses of a name are one endpoint
	tls        string // the name servers' name in their certificate; empty without TLS
}

// refresh says what makes a look-up due.
type refresh struct {
	off   bool          // nothing but ResolveNow
	every time.Duration // zero: the TTL
}

// literal returns the address if the host is one.
func (c config) literal() (netip.Addr, bool) {
	a, err := netip.ParseAddr(c.host)
	return a, err == nil
}

// parseTarget reads a target. A user and password are ignored: grpc leaves those
// of a proxy in the target with which it looks up the proxy's address.
func parseTarget(t resolver.Target) (cfg config, err error) {
	u := t.URL
	if u.Fragment != "" {
		return cfg, errors.New(`"#" is not part of a DNS target`)
	}
	if cfg.params, err = parseParams(u.RawQuery); err != nil {
		return cfg, err
	}
	if cfg.servers, err = parseAuthority(u.Host, cfg.tls != ""); err != nil {
		return cfg, err
	}
	host, port, err := splitHostPort(t.Endpoint())
	if err != nil {
		return cfg, err
	}
	cfg.host = host
	return cfg, cfg.complete(port)
}

// complete checks the parts against each other.
func (c *config) complete(port string) error {
	_, isLiteral := c.literal()
	c.srv = c.srv || !isLiteral && isService(c.host)
	switch {
	case c.tls != "" && len(c.servers) == 0:
		return errors.New("parameter tls: no name server to use it with (want e.g. dns://1.1.1.1/host?tls=one.one.one.one)")
	case c.srv && isLiteral:
		return fmt.Errorf("parameter srv: %q is an address, which has no SRV records", c.host)
	case c.srv && port != "":
		return fmt.Errorf("port %q: the ports come from the SRV records", port)
	case c.serverName && !c.srv:
		return errors.New("parameter servername=target: only for SRV records (srv=1)")
	case c.max < c.min:
		return fmt.Errorf("parameters min=%v and max=%v: want min <= max", c.min, c.max)
	}
	if _, ok := mdns.IsDomainName(c.host); !isLiteral && !ok {
		return fmt.Errorf("host %q: not a domain name", c.host)
	}
	if c.port = port; port == "" {
		c.port = defaultPort
	}
	return nil
}

// service is the shape of RFC 2782's names for services.
var service = regexp.MustCompile(`^_[^.]+\._[^.]+\.[^.]`)

func isService(host string) bool { return service.MatchString(host) }

// splitHostPort reads host, host:port, [v6]:port, [v6] or a bare v6 address. An
// empty port means that there is none; an empty host before a port is this host,
// as for net.Dial.
func splitHostPort(s string) (host, port string, err error) {
	if s == "" {
		return "", "", errors.New("no host; want e.g. dns:///payments.example.com:8080")
	}
	if _, err := netip.ParseAddr(s); err == nil {
		return s, "", nil
	}
	host, port, err = net.SplitHostPort(s)
	switch {
	case err == nil && port == "":
		return "", "", fmt.Errorf("host %q: no port after the colon", s)
	case err == nil && host == "":
		return "localhost", port, nil
	case err == nil:
		return host, port, nil
	}
	if host, _, err = net.SplitHostPort(s + ":" + defaultPort); err != nil || host == "" {
		return "", "", fmt.Errorf("host %q: want host or host:port", s)
	}
	return host, "", nil
}

// parseAuthority reads the name servers of a target, joined by commas.
func parseAuthority(authority string, overTLS bool) ([]string, error) {
	if authority == "" {
		return nil, nil
	}
	var servers []string
	for s := range strings.SplitSeq(authority, ",") {
		host, port, err := splitHostPort(s)
		if err != nil {
			return nil, fmt.Errorf("name server: %w", err)
		}
		switch {
		case port != "":
		case overTLS:
			port = defaultTLSPort
		default:
			port = defaultDNSPort
		}
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			return nil, fmt.Errorf("name server %q: port %q: want 1 to 65535", s, port)
		}
		servers = append(servers, net.JoinHostPort(host, port))
	}
	return servers, nil
}

var knownParams = []string{"refresh", "min", "max", "grace", "srv", "servername", "group", "tls", "wait"}

func parseParams(query string) (p params, err error) {
	values, err := param.Parse(query, knownParams...)
	if err != nil {
		return p, err
	}
	p = params{min: defaultMin, max: defaultMax, grace: defaultGrace, wait: defaultWait}
	set := map[string]func(string) error{
		"refresh":    p.refresh.parse,
		"min":        duration(&p.min, leastRefresh),
		"max":        duration(&p.max, leastRefresh),
		"grace":      duration(&p.grace, 0),
		"wait":       duration(&p.wait, 0),
		"srv":        oneOf(&p.srv, "1"),
		"servername": oneOf(&p.serverName, "target"),
		"group":      oneOf(&p.groupHost, "host"),
		"tls":        nameOf(&p.tls),
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if err := set[name](values[name]); err != nil {
			return p, fmt.Errorf("parameter %s=%q: %w", name, values[name], err)
		}
	}
	_, hasMin := values["min"]
	_, hasMax := values["max"]
	switch { // one of them alone moves the default of the other
	case hasMin && !hasMax:
		p.max = max(p.max, p.min)
	case hasMax && !hasMin:
		p.min = min(p.min, p.max)
	}
	return p, nil
}

func (r *refresh) parse(v string) error {
	switch v {
	case "ttl":
	case "off":
		r.off = true
	default:
		if duration(&r.every, leastRefresh)(v) != nil {
			return fmt.Errorf("want ttl, off, or a duration of %v or more, such as 30s", leastRefresh)
		}
	}
	return nil
}

// duration reads one that is not less than least.
func duration(d *time.Duration, least time.Duration) func(string) error {
	return func(v string) error {
		got, err := time.ParseDuration(v)
		if err != nil || got < least {
			return fmt.Errorf("want a duration of %v or more, such as 30s", least)
		}
		*d = got
		return nil
	}
}

// oneOf reads the only value that a parameter has.
func oneOf(b *bool, value string) func(string) error {
	return func(v string) error {
		if v != value {
			return fmt.Errorf("want %s", value)
		}
		*b = true
		return nil
	}
}

// nameOf reads a name or an address in a certificate.
func nameOf(s *string) func(string) error {
	return func(v string) error {
		if v == "" {
			return errors.New("want the name in the name servers' certificate")
		}
		*s = v
		return nil
	}
}

// redact returns the part of a target that never holds a secret.
func redact(t resolver.Target) string {
	u := t.URL
	return (&url.URL{Scheme: u.Scheme, Opaque: u.Opaque, Host: u.Host, Path: u.Path, RawPath: u.RawPath}).String()
}
