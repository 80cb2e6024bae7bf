package consul

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/evenkeel-grpc/evenkeel/resolvers/internal/param"
)

var (
	knownParams = []string{
		"addr", "ca-file", "cached", "cert-file", "config-key", "connect", "consistent", "dc", "fallback", "filter",
		"grace", "health", "key-file", "limit", "max-backoff", "near", "ns", "partition", "query", "scheme",
		"server-name", "stale", "tag", "tags", "timeout", "token", "token-file", "wait",

		// As mbobakov's resolver calls them.
		"allow-stale", "healthy", "insecure", "require-consistent",
	}
	repeatableParams = []string{"dc", "tag", "tags"}
)

// params reads parameters, and keeps the first error.
type params struct {
	values map[string][]string
	err    error
}

func parseParams(query string) (*params, error) {
	values, err := param.ParseLists(query, knownParams, repeatableParams)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		for _, v := range values[name] {
			switch {
			case v == "" && !slices.Contains(flags, name):
				return nil, fmt.Errorf("parameter %q has no value", name)
			case strings.ContainsFunc(v, unicode.IsControl):
				return nil, fmt.Errorf("parameter %q has a control character", name)
			}
		}
	}
	return &params{values: values}, nil
}

// flags are true without a value, as in Consul's own API.
var flags = []string{
	"allow-stale", "cached", "connect", "consistent", "fallback", "healthy", "insecure", "query", "require-consistent", "stale",
}

func (p *params) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf(format, args...)
	}
}

func (p *params) has(name string) bool { return len(p.values[name]) > 0 }

func (p *params) text(name string) string {
	if !p.has(name) {
		return ""
	}
	return p.values[name][0]
}

// either returns the one of several texts that is given, or the first value
// that is accepted.
func (p *params) either(name string, accepted ...string) string {
	if !p.has(name) {
		return accepted[0]
	}
	v := p.text(name)
	if !slices.Contains(accepted, v) {
		p.fail("parameter %s=%q: want one of %s", name, v, strings.Join(accepted, ", "))
	}
	return v
}

func (p *params) flag(name string) bool {
	v := p.text(name)
	if !p.has(name) || v == "" {
		return p.has(name)
	}
	on, err := strconv.ParseBool(v)
	if err != nil {
		p.fail("parameter %s=%q: want true or false", name, v)
	}
	return on
}

func (p *params) duration(name string, def time.Duration) time.Duration {
	if !p.has(name) {
		return def
	}
	d, err := time.ParseDuration(p.text(name))
	if err != nil || d < 0 {
		p.fail("parameter %s=%q: want a duration that is not negative, such as 30s", name, p.text(name))
	}
	return d
}

// positive is duration for those that take 0 as the default.
func (p *params) positive(name string, def time.Duration) time.Duration {
	if d := p.duration(name, def); d > 0 {
		return d
	}
	return def
}

func (p *params) number(name string) int {
	if !p.has(name) {
		return 0
	}
	n, err := strconv.Atoi(p.text(name))
	if err != nil || n < 0 {
		p.fail("parameter %s=%q: want a whole number from 0 on", name, p.text(name))
	}
	return n
}

func (p *params) access() access {
	a := access{
		tokenFile:  p.text("token-file"),
		caFile:     p.text("ca-file"),
		certFile:   p.text("cert-file"),
		keyFile:    p.text("key-file"),
		serverName: p.text("server-name"),
		insecure:   p.flag("insecure"),
	}
	a.token = a.open(p.text("token"))
	wantsTLS := a.caFile != "" || a.certFile != "" || a.keyFile != "" || a.serverName != ""
	if p.has("scheme") || wantsTLS {
		a.scheme = p.either("scheme", "https", "http")
	}
	switch {
	case a.token != noSecret && a.tokenFile != "":
		p.fail(`parameters "token" and "token-file": want one of them`)
	case (a.certFile == "") != (a.keyFile == ""):
		p.fail(`parameters "cert-file" and "key-file": want both or neither`)
	case a.scheme == "http" && wantsTLS:
		p.fail(`parameter scheme="http" with a parameter for TLS: want scheme=https, or none of ca-file, cert-file, key-file, server-name`)
	}
	return a
}

func (p *params) query() query {
	q := query{
		prepared:  p.flag("query"),
		connect:   p.flag("connect"),
		tags:      newList(p.tags()),
		dcs:       newList(p.values["dc"]),
		ns:        p.text("ns"),
		partition: p.text("partition"),
		near:      p.text("near"),
		filter:    p.text("filter"),
		limit:     p.number("limit"),
		addr:      p.text("addr"),
		reads:     p.reads(),
		wait:      p.positive("wait", 0),
		timeout:   p.positive("timeout", defaultTimeout),
		configKey: strings.TrimPrefix(p.text("config-key"), "/"),
	}
	q.health, q.fallback = p.health(q.prepared)
	if q.wait > maxWait {
		p.fail("parameter wait=%q: want at most 10m, which is what Consul grants", p.text("wait"))
	}
	if dcs := p.values["dc"]; len(sortedSet(dcs)) < len(dcs) {
		p.fail(`parameter "dc" names a datacenter twice`)
	}
	if q.prepared {
		p.checkPrepared()
	}
	return q
}

// checkPrepared refuses what a prepared query decides by itself.
func (p *params) checkPrepared() {
	for _, name := range []string{"tag", "tags", "filter"} {
		if p.has(name) {
			p.fail("parameter %q with query=1: the prepared query itself decides that", name)
		}
	}
	if len(p.values["dc"]) > 1 {
		p.fail(`parameter "dc" given several times with query=1: want one; the prepared query itself has a failover`)
	}
}

func (p *params) tags() []string {
	tags := slices.Clone(p.values["tag"])
	for _, v := range p.values["tags"] {
		for tag := range strings.SplitSeq(v, ",") {
			if tag = strings.TrimSpace(tag); tag != "" {
				tags = append(tags, tag)
			}
		}
	}
	return sortedSet(tags)
}

func (p *params) reads() reads {
	modes := []struct {
		mode reads
		on   bool
	}{
		{readStale, p.flag("stale") || p.flag("allow-stale")},
		{readConsistent, p.flag("consistent") || p.flag("require-consistent")},
		{readCached, p.flag("cached")},
	}
	mode := readDefault
	for _, m := range modes {
		if m.on && mode != readDefault {
			p.fail(`parameters "stale", "consistent" and "cached": want one of them`)
		}
		if m.on {
			mode = m.mode
		}
	}
	return mode
}

// health returns the worst that is good enough, and whether worse ones are
// better than none. A prepared query has looked at it already.
func (p *params) health(prepared bool) (worst health, fallback bool) {
	fallback = p.flag("fallback")
	if p.has("healthy") {
		if p.has("health") {
			p.err = errors.New(`parameters "health" and "healthy": want one of them`)
		}
		if !p.flag("healthy") {
			return critical, fallback
		}
		return passing, fallback
	}
	if prepared && !p.has("health") {
		return critical, fallback
	}
	switch p.either("health", "passing", "warning", "any", "healthy", "fallbackToUnhealthy") {
	case "warning":
		return warning, fallback
	case "any":
		return critical, fallback
	case "fallbackToUnhealthy":
		return passing, true
	default:
		return passing, fallback
	}
}
