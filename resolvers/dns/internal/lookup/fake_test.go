package lookup_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/evenkeel-grpc/evenkeel/resolvers/dns/internal/lookup"
)

// fakeNet stands in for the network: each server has a handler.
type fakeNet struct {
	handlers map[string]handler

	mu    sync.Mutex // guards the fields below
	asked []string   // the servers, in the order in which they were
	times []time.Time
}

type handler func(ctx context.Context, q lookup.Question) (*dns.Msg, error)

func (n *fakeNet) exchange(ctx context.Context, server string, q lookup.Question) (*dns.Msg, error) {
	n.mu.Lock()
	n.asked = append(n.asked, server)
	n.times = append(n.times, time.Now())
	n.mu.Unlock()
	return n.handlers[server](ctx, q)
}

// take returns the servers that were asked since the last take.
func (n *fakeNet) take() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	asked := n.asked
	n.asked = nil
	return asked
}

// says answers every question with the given records, in the zone file's format.
func says(t *testing.T, records ...string) handler {
	t.Helper()
	return func(_ context.Context, q lookup.Question) (*dns.Msg, error) {
		return message(t, q, dns.RcodeSuccess, records...), nil
	}
}

// refuses answers with a code, and a SOA record if it is one that has it.
func refuses(t *testing.T, rcode int, soa ...string) handler {
	t.Helper()
	return func(_ context.Context, q lookup.Question) (*dns.Msg, error) {
		m := message(t, q, rcode)
		for _, s := range soa {
			m.Ns = append(m.Ns, record(t, s))
		}
		return m, nil
	}
}

func fails(text string) handler {
	return func(context.Context, lookup.Question) (*dns.Msg, error) { return nil, errors.New(text) }
}

// silent never answers.
func silent(ctx context.Context, _ lookup.Question) (*dns.Msg, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func message(t *testing.T, q lookup.Question, rcode int, records ...string) *dns.Msg {
	t.Helper()
	m := new(dns.Msg)
	m.SetQuestion(q.Name, uint16(q.Type))
	m.Response, m.RecursionAvailable, m.Rcode = true, true, rcode
	for _, s := range records {
		m.Answer = append(m.Answer, record(t, s))
	}
	return m
}

func record(t *testing.T, s string) dns.RR {
	t.Helper()
	rr, err := dns.NewRR(s)
	if err != nil {
		t.Fatalf("record %q: %v", s, err)
	}
	return rr
}

// servers are the given ones, with the timeouts of an ordinary host.
func servers(addrs ...string) lookup.Servers {
	return lookup.Servers{Addrs: addrs, Timeout: 5 * time.Second, Attempts: 2, Limit: 30 * time.Second}
}

var question = lookup.Question{Name: "a.test.", Type: lookup.TypeA}

// always takes any result that is there, never none.
func always(lookup.Result) bool { return true }
func never(lookup.Result) bool  { return false }

// askOnce asks h's only server one question.
func askOnce(t *testing.T, h handler, q lookup.Question) lookup.Result {
	t.Helper()
	c := &lookup.Cache{Exchange: (&fakeNet{handlers: map[string]handler{"s:53": h}}).exchange}
	s := c.Open(servers("s:53"))
	defer s.Close()
	return s.Ask(t.Context(), q, always)
}
