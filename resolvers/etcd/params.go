package etcd

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/evenkeel-grpc/evenkeel/resolvers/internal/param"
	"github.com/evenkeel-grpc/evenkeel/resolvers/internal/watch"
)

const (
	defaultDialTimeout = 2 * time.Second

	// A page of 5,000 entries is about 1 MB.
	defaultPage = 5000
	maxPage     = 100_000
)

// params is what the query part of a target says.
type params struct {
	config           // but for hosts and prefix
	namespace string // goes before every key
	key       string // takes the place of the path
}

// knownParams tells, for each parameter, what to do with its value.
var knownParams = map[string]func(p *params, value string) error{
	"ca-file":       text(func(p *params) *string { return &p.caFile }),
	"cert-file":     text(func(p *params) *string { return &p.certFile }),
	"key-file":      text(func(p *params) *string { return &p.keyFile }),
	"server-name":   text(func(p *params) *string { return &p.serverName }),
	"user":          text(func(p *params) *string { return &p.user }),
	"password-file": text(func(p *params) *string { return &p.passwordFile }),
	"namespace":     text(func(p *params) *string { return &p.namespace }),
	"key":           text(func(p *params) *string { return &p.key }),
	"config-key":    text(func(p *params) *string { return &p.configKey }),
	"client":        text(func(p *params) *string { return &p.client }),
	"format":        func(p *params, value string) (err error) { p.format, err = parseFormat(value); return err },
	"grace":         func(p *params, value string) (err error) { p.grace, err = parseGrace(value); return err },
	"dial-timeout":  func(p *params, value string) (err error) { p.dialTimeout, err = parseDialTimeout(value); return err },
	"page":          func(p *params, value string) (err error) { p.page, err = parsePage(value); return err },
}

func text(field func(*params) *string) func(*params, string) error {
	return func(p *params, value string) error {
		if value == "" {
			return errors.New("want a value, or not the parameter")
		}
		*field(p) = value
		return nil
	}
}

var paramNames = func() (names []string) {
	for name := range knownParams {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}()

func readParams(query string) (params, error) {
	p := params{config: config{
		place: place{access: access{dialTimeout: defaultDialTimeout}, page: defaultPage},
		grace: watch.DefaultGrace,
	}}
	given, err := param.Parse(query, paramNames...)
	if err != nil {
		return p, err
	}
	for _, name := range paramNames { // in order, for the same error each time
		value, ok := given[name]
		if !ok {
			continue
		}
		if err := knownParams[name](&p, value); err != nil {
			return p, fmt.Errorf("parameter %s=%q: %w", name, value, err)
		}
	}
	return p, nil
}

func parseGrace(value string) (time.Duration, error) {
	d, err := time.ParseDuration(value)
	if err != nil || d < 0 {
		return 0, errors.New("want a duration that is not negative, such as 30s")
	}
	return d, nil
}

func parseDialTimeout(value string) (time.Duration, error) {
	d, err := time.ParseDuration(value)
	if err != nil || d <= 0 {
		return 0, errors.New("want a duration above 0, such as 2s")
	}
	return d, nil
}

func parsePage(value string) (int64, error) {
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n < 1 || n > maxPage {
		return 0, fmt.Errorf("want 1 to %d", maxPage)
	}
	return n, nil
}

func parseFormat(value string) (format, error) {
	i := slices.Index(formatNames, value)
	if i < 0 {
		return 0, fmt.Errorf("want one of %s", strings.Join(formatNames, ", "))
	}
	return format(i), nil
}
