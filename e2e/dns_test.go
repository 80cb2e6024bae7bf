package e2e

import (
	"fmt"
	"testing"

	"github.com/evenkeel-grpc/evenkeel/internal/held"
	_ "github.com/evenkeel-grpc/evenkeel/resolvers/dns"
)

// fleet is a number of backends with the same port at 127.0.0.2 and up.
type fleet struct {
	port     string
	backends []*backend
}

func startFleet(tb testing.TB, n int) fleet {
	tb.Helper()
	f := fleet{port: port(held.Addr(tb))}
	for i := range n {
		f.backends = append(f.backends, startBackendAt(tb, fmt.Sprintf("127.0.0.%d:%s", i+2, f.port)))
	}
	return f
}

// records are those of name for the backends with the given indices.
func (f fleet) records(name string, ttl int, which ...int) []string {
	var records []string
	for _, i := range which {
		records = append(records, fmt.Sprintf("%s %d IN A 127.0.0.%d", name, ttl, i+2))
	}
	return records
}

func TestDNSDiscoversAndFollows(t *testing.T) {
	f := startFleet(t, 3)
	s := startCoreDNS(t, f.records("payments", 1, 0)...)
	cc := dial(t, s.target("payments.test:"+f.port+"?min=1s"))
	waitForBackends(t, cc, f.backends[0])
	s.change(t, f.records("payments", 1, 0, 1, 2)...)
	waitForBackends(t, cc, f.backends...)
	s.change(t, f.records("payments", 1, 2)...)
	waitForBackends(t, cc, f.backends[2])
}
