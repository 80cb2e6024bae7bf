package e2e

import (
	"fmt"
	"strings"
	"testing"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// proxies stand between clients and the members of a cluster, and do to the
// connections what networks do.
type proxies struct {
	all    []*toxiproxy.Proxy
	toxics []string // names of those that are in the way
}

func startProxies(tb testing.TB, upstreams ...string) *proxies {
	tb.Helper()
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), zerolog.Nop())
	p := &proxies{}
	for _, up := range upstreams {
		proxy := toxiproxy.NewProxy(server, up, "127.0.0.1:0", up)
		if err := proxy.Start(); err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(proxy.Stop)
		p.all = append(p.all, proxy)
	}
	return p
}

// hosts is what goes into a target.
func (p *proxies) hosts() string {
	var all []string
	for _, proxy := range p.all {
		all = append(all, proxy.Listen)
	}
	return strings.Join(all, ",")
}

// add puts a toxic of toxiproxy in the way, in one direction.
func (p *proxies) add(tb testing.TB, kind, stream, attributes string) {
	tb.Helper()
	name := kind + "-" + stream
	for _, proxy := range p.all {
		toxic := fmt.Sprintf(`{"name":%q,"type":%q,"stream":%q,"attributes":%s}`, name, kind, stream, attributes)
		if _, err := proxy.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
			tb.Fatal(err)
		}
	}
	p.toxics = append(p.toxics, name)
}

// blackHole swallows all that is sent, in both directions.
func (p *proxies) blackHole(tb testing.TB) {
	tb.Helper()
	p.add(tb, "timeout", "upstream", `{"timeout":0}`)
	p.add(tb, "timeout", "downstream", `{"timeout":0}`)
}

// halfOpen swallows what the servers send: clients can talk, but hear nothing.
func (p *proxies) halfOpen(tb testing.TB) {
	tb.Helper()
	p.add(tb, "timeout", "downstream", `{"timeout":0}`)
}

// reset breaks all connections, and new ones after a while.
func (p *proxies) reset(tb testing.TB) {
	tb.Helper()
	p.add(tb, "reset_peer", "downstream", `{"timeout":50}`)
}

// latency delays all that is sent, in both directions.
func (p *proxies) latency(tb testing.TB, ms int) {
	tb.Helper()
	p.add(tb, "latency", "upstream", fmt.Sprintf(`{"latency":%d}`, ms))
	p.add(tb, "latency", "downstream", fmt.Sprintf(`{"latency":%d}`, ms))
}

func (p *proxies) heal(tb testing.TB) {
	tb.Helper()
	for _, name := range p.toxics {
		for _, proxy := range p.all {
			if err := proxy.Toxics.RemoveToxic(tb.Context(), name); err != nil {
				tb.Fatal(err)
			}
		}
	}
	p.toxics = nil
}
