package dns

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/serviceconfig"

	"github.com/evenkeel-grpc/evenkeel/resolvers/dns/internal/lookup"
)

// patience is how long the addresses wait for their service config. Afterwards
// they go without, and it follows.
const patience = time.Second

// configs looks for the service config of a target.
type configs struct {
	// Set at the beginning, then read-only.
	cc       resolver.ClientConn
	host     string
	who      client
	enabled  bool
	failHard bool // a look-up that fails is an error of the config

	// Owned by the source's goroutine.
	late   chan struct{} // closed when a look-up ends that the addresses did not wait for; nil if none is under way
	text   string        // the record that parsed is of
	parsed *serviceconfig.ParseResult
}

func newConfigs(cfg config, cc resolver.ClientConn, opts resolver.BuildOptions) configs {
	return configs{
		cc:       cc,
		host:     cfg.host,
		who:      client{hostname: hostname(), roll: rand.IntN(100)},
		enabled:  !opts.DisableServiceConfig && !isFalse("GRPC_ENABLE_TXT_SERVICE_CONFIG") && !isLocal(cfg.host),
		failHard: isFalse("GRPC_GO_IGNORE_TXT_ERRORS"),
	}
}

func isFalse(env string) bool { return strings.EqualFold(os.Getenv(env), "false") }

// isLocal recognises the names of this host, about which no name server is asked
// (RFC 6761).
func isLocal(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		logger.Warningf("no service config with a clientHostName is used: %v", err)
	}
	return name
}

// serviceConfig looks for the config of the name that was found, or of those
// that the host may stand for. It waits a second at most.
func (s *source) serviceConfig(ctx context.Context, name string) *serviceconfig.ParseResult {
	c := &s.configs
	if !c.enabled || name == "" && !s.fromFile {
		return c.parsed
	}
	names := s.namesAt(configName, name)
	if c.late == nil {
		done := make(chan struct{})
		s.running.Go(func() {
			defer close(done)
			s.lookForConfig(ctx, names)
		})
		c.late = done
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-c.late:
		c.late = nil
		c.update(s.memory.recall(names))
	case <-timer.C:
		s.memory.recall(names) // they are still needed
	case <-ctx.Done():
	}
	return c.parsed
}

// lookForConfig asks for each name until there is a config.
func (s *source) lookForConfig(ctx context.Context, names []string) {
	for _, n := range names {
		a := s.memory.ask(ctx, lookup.Question{Name: n, Type: lookup.TypeTXT})
		if _, ok := configText(a.TXTs); ok || a.err != nil {
			return
		}
	}
}

// recall returns the last answers about the first of names that has a config, or
// else of the first that could not be looked up.
func (m *memory) recall(names []string) answer {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found answer
	for _, n := range names {
		rec := m.records[lookup.Question{Name: n, Type: lookup.TypeTXT}]
		if rec == nil {
			continue
		}
		rec.used = true
		a := answer{Result: rec.good, err: rec.err}
		if _, ok := configText(a.TXTs); ok {
			return a
		}
		if found.err == nil && a.err != nil {
			found = a
		}
	}
	return found
}

// update parses the config if it has changed. One that cannot be looked up stays
// as it was.
func (c *configs) update(a answer) {
	text, ok := configText(a.TXTs)
	switch {
	case ok && c.parsed != nil && text == c.text:
	case ok:
		c.text = text
		c.parsed = c.parse(text)
	case a.err == nil:
		c.parsed = nil
	case c.parsed == nil && c.failHard:
		c.parsed = &serviceconfig.ParseResult{Err: fmt.Errorf("dns: %q: service config: %w", c.host, a.err)}
	default:
		logger.Infof("%q: service config: %v", c.host, a.err)
	}
}

// parse reads a record. It returns nil if no choice in it is for this client.
func (c *configs) parse(text string) *serviceconfig.ParseResult {
	js, err := choose(text, c.who)
	switch {
	case err != nil:
		return &serviceconfig.ParseResult{Err: fmt.Errorf("dns: %q: service config: %w", c.host, err)}
	case js == "":
		return nil
	default:
		return c.cc.ParseServiceConfig(js)
	}
}
