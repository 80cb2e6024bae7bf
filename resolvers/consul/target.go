package consul

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/evenkeel-grpc/evenkeel/internal/secret"
	"github.com/evenkeel-grpc/evenkeel/resolvers/internal/watch"
)

// parseTarget reads a target. Its errors show no user, no password, no token and
// no parameter that this package does not know.
func parseTarget(u url.URL) (config, error) {
	switch {
	case u.Opaque != "":
		return config{}, errors.New("no slashes after the scheme; want consul:///service or consul://host:port/service")
	case u.Fragment != "":
		return config{}, errors.New(`a "#" is written %23`)
	}
	p, err := parseParams(u.RawQuery)
	if err != nil {
		return config{}, err
	}
	cfg := config{
		grace:      p.duration("grace", watch.DefaultGrace),
		maxBackoff: p.positive("max-backoff", defaultMaxBackoff),
		access:     p.access(),
		query:      p.query(),
	}
	if p.err != nil {
		return config{}, p.err
	}
	if err := cfg.access.setAuthority(u); err != nil {
		return config{}, err
	}
	cfg.query.name, err = parseName(u)
	return cfg, err
}

// setAuthority reads what comes before the path.
func (a *access) setAuthority(u url.URL) error {
	if u.User != nil {
		password, _ := u.User.Password()
		a.user, a.password = u.User.Username(), a.open(password)
		if password == "" {
			a.user = a.open(a.user).Reveal()
		}
		if u.Host == "" {
			return errors.New("a user and no host; want consul://user:password@host:port/service")
		}
	}
	if err := checkHost(u.Host); err != nil {
		return err
	}
	a.addr = u.Host
	return nil
}

// checkHost accepts what Consul's own tools do: without a port it is that of the
// scheme.
func checkHost(host string) error {
	switch name, port, err := net.SplitHostPort(host); {
	case host == "":
		return nil
	case strings.Contains(host, ","):
		return fmt.Errorf("host %q: want one; Consul's agents find the others by themselves", host)
	case err == nil && name == "":
		return fmt.Errorf("host %q: want host:port (for the one in the environment write three slashes: consul:///service)", host)
	case err == nil:
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			return fmt.Errorf("host %q: port %q: want 1 to 65535", host, port)
		}
	}
	return nil
}

// parseName reads the service. A slash at the end is not part of it.
func parseName(u url.URL) (string, error) {
	name := strings.TrimSuffix(strings.TrimPrefix(u.Path, "/"), "/")
	switch {
	case name == "" && u.Host != "":
		return "", fmt.Errorf("no service after the host %q; want consul://host:port/service, or consul:///service with three slashes for the host in the environment", u.Host)
	case name == "":
		return "", errors.New("no service; want consul:///service or consul://host:port/service")
	case strings.Contains(name, "/"), name == ".", name == "..":
		return "", fmt.Errorf("service %q: want a name without slashes", name)
	case strings.ContainsFunc(name, unicode.IsControl):
		return "", fmt.Errorf("service %q: want a name without control characters", name)
	}
	return name, nil
}

// redact returns the part of a target that never holds a secret.
func redact(u url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}).String()
}

// seal returns the target with references in the place of its secrets, and
// whether it had any. What this package does not understand, and will refuse, is
// taken for a secret too: a token may have been put where it does not belong.
func seal(u url.URL) (url.URL, bool) {
	user, params, fragment := sealUser(u.User), sealParams(u.RawQuery), sealText(u.Fragment)
	sealed := user.String() != u.User.String() || params != u.RawQuery || fragment != u.Fragment
	u.User, u.RawQuery, u.Fragment, u.RawFragment = user, params, fragment, ""
	return u, sealed
}

// sealUser seals the password, or the user if there is none.
func sealUser(user *url.Userinfo) *url.Userinfo {
	if user == nil {
		return nil
	}
	password, ok := user.Password()
	if !ok {
		return url.User(sealText(user.Username()))
	}
	return url.UserPassword(user.Username(), sealText(password))
}

// sealParams seals the value of each parameter that is a token or not known. One
// without a value may be a value that lacks its name.
func sealParams(query string) string {
	if query == "" {
		return ""
	}
	params := strings.Split(query, "&")
	for i, param := range params {
		name, value, hasValue := strings.Cut(param, "=")
		key, err := url.QueryUnescape(name)
		text, err2 := url.QueryUnescape(value)
		malformed := err != nil || err2 != nil || strings.Contains(param, ";")
		switch {
		case !malformed && key != "token" && slices.Contains(knownParams, key):
		case malformed || !hasValue:
			params[i] = sealText(param)
		default:
			params[i] = name + "=" + sealText(text)
		}
	}
	return strings.Join(params, "&")
}

func sealText(text string) string {
	if text == "" {
		return ""
	}
	return secret.Seal(secret.New(text))
}

// sortedSet returns texts sorted and each once.
func sortedSet(texts []string) []string {
	texts = slices.Clone(texts)
	slices.Sort(texts)
	return slices.Compact(texts)
}
