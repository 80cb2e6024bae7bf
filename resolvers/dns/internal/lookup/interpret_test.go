package lookup_test

import (
	"context"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/evenkeel-grpc/evenkeel/resolvers/dns/internal/lookup"
)

func addrs(s ...string) []netip.Addr {
	var list []netip.Addr
	for _, a := range s {
		list = append(list, netip.MustParseAddr(a))
	}
	return list
}

func TestRecordsAreRead(t *testing.T) {
	for _, tt := range []struct {
		name    string
		kind    lookup.Type
		records []string
		want    lookup.Result
	}{
		{"addresses, in any case of the name", lookup.TypeA, []string{"A.Test. 60 IN A 10.0.0.1", "a.test. 30 IN A 10.0.0.2"},
			lookup.Result{Addrs: addrs("10.0.0.1", "10.0.0.2"), TTL: 30 * time.Second}},
		{"IPv6 addresses, IPv4 in their form too", lookup.TypeAAAA, []string{"a.test. 60 IN AAAA 2001:db8::1", "a.test. 60 IN AAAA ::ffff:10.0.0.1"},
			lookup.Result{Addrs: addrs("2001:db8::1", "10.0.0.1"), TTL: time.Minute}},
		{"services", lookup.TypeSRV, []string{"a.test. 60 IN SRV 1 2 3 B.test."},
			lookup.Result{SRVs: []lookup.SRV{{Target: "b.test.", Port: 3, Priority: 1, Weight: 2}}, TTL: time.Minute}},
		{"texts of several strings", lookup.TypeTXT, []string{`a.test. 60 IN TXT "one \"two\"" " \\ three\010"`, `a.test. 60 IN TXT ""`},
			lookup.Result{TXTs: []string{"one \"two\" \\ three\n", ""}, TTL: time.Minute}},
		{"none of another name or type", lookup.TypeA, []string{"a.test. 60 IN A 10.0.0.1", "b.test. 1 IN A 10.0.0.2", "a.test. 1 IN TXT x"},
			lookup.Result{Addrs: addrs("10.0.0.1"), TTL: time.Minute}},
		{"no TTL", lookup.TypeA, []string{"a.test. 0 IN A 10.0.0.1"}, lookup.Result{Addrs: addrs("10.0.0.1")}},
		{"a TTL with the highest bit", lookup.TypeA, []string{"a.test. 2147483648 IN A 10.0.0.1"}, lookup.Result{Addrs: addrs("10.0.0.1")}},
		{"a chain of aliases, in any order", lookup.TypeA, []string{"c.test. 60 IN A 10.0.0.1", "b.test. 7 IN CNAME C.test.", "a.test. 60 IN CNAME b.test."},
			lookup.Result{Addrs: addrs("10.0.0.1"), TTL: 7 * time.Second}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tt.want.At = time.Now()
				got := askOnce(t, says(t, tt.records...), lookup.Question{Name: "a.test.", Type: tt.kind})
				if !reflect.DeepEqual(got, tt.want) {
					t.Errorf("Ask = %+v, want %+v", got, tt.want)
				}
			})
		})
	}
}

func TestDenialsAreRead(t *testing.T) {
	const soa = "test. 60 IN SOA ns.test. admin.test. 1 3600 600 86400 20"
	nodata := "s:53 answered that there are no such records (NODATA)"
	for _, tt := range []struct {
		name   string
		answer handler
		want   lookup.Result
	}{
		{"NXDOMAIN", refuses(t, dns.RcodeNameError, soa), lookup.Result{Missing: "s:53 answered NXDOMAIN", NXDomain: true, TTL: 20 * time.Second}},
		{"NXDOMAIN without SOA", refuses(t, dns.RcodeNameError), lookup.Result{Missing: "s:53 answered NXDOMAIN", NXDomain: true}},
		{"NODATA", refuses(t, dns.RcodeSuccess, soa), lookup.Result{Missing: nodata, TTL: 20 * time.Second}},
		{"NODATA without SOA", refuses(t, dns.RcodeSuccess), lookup.Result{Missing: nodata}},
		{"only another type", says(t, "a.test. 60 IN TXT x"), lookup.Result{Missing: nodata}},
		{"an alias to a name without records", func(_ context.Context, q lookup.Question) (*dns.Msg, error) {
			m := message(t, q, dns.RcodeSuccess, "a.test. 5 IN CNAME b.test.")
			m.Ns = append(m.Ns, record(t, soa))
			return m, nil
		}, lookup.Result{Missing: nodata, TTL: 5 * time.Second}},
		{"an alias to a name that is not", func(_ context.Context, q lookup.Question) (*dns.Msg, error) {
			return message(t, q, dns.RcodeNameError, "a.test. 5 IN CNAME b.test."), nil
		}, lookup.Result{Missing: "s:53 answered NXDOMAIN", NXDomain: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tt.want.At = time.Now()
				if got := askOnce(t, tt.answer, question); !reflect.DeepEqual(got, tt.want) {
					t.Errorf("Ask = %+v, want %+v", got, tt.want)
				}
			})
		})
	}
}

// zone answers with the records of the name that is asked for, and nothing else:
// the server of each name knows only that one.
func zone(t *testing.T, records ...string) handler {
	t.Helper()
	return func(_ context.Context, q lookup.Question) (*dns.Msg, error) {
		m := message(t, q, dns.RcodeSuccess)
		m.Authoritative = true
		for _, s := range records {
			if rr := record(t, s); rr.Header().Name == q.Name {
				m.Answer = append(m.Answer, rr)
			}
		}
		return m, nil
	}
}

func TestAliasesOverSeveralAnswers(t *testing.T) {
	r := askOnce(t, zone(t, "a.test. 60 IN CNAME b.test.", "b.test. 7 IN CNAME c.test.", "c.test. 60 IN A 10.0.0.1"), question)
	if r.Err != nil || len(r.Addrs) != 1 || r.TTL != 7*time.Second {
		t.Errorf("Ask = %+v, want one address for 7 s", r)
	}
}

func TestAliasesWithoutEndAreErrors(t *testing.T) {
	loop := []string{"a.test. 60 IN CNAME b.test.", "b.test. 60 IN CNAME c.test.", "c.test. 60 IN CNAME b.test."}
	var long []string
	for i := range 40 {
		long = append(long, fmt.Sprintf("n%d.test. 60 IN CNAME n%d.test.", i, i+1))
	}
	long = append(long, "a.test. 60 IN CNAME n0.test.")
	for _, tt := range []struct {
		name    string
		records []string
		want    string
	}{
		{"a loop", loop, "its aliases form a loop"},
		{"an alias of itself", []string{"a.test. 60 IN CNAME A.test."}, "its aliases form a loop"},
		{"a long chain", long, "more than 16 aliases"},
	} {
		for where, h := range map[string]handler{"in one answer": says(t, tt.records...), "over several": zone(t, tt.records...)} {
			t.Run(tt.name+" "+where, func(t *testing.T) {
				r := askOnce(t, h, question)
				if r.Err == nil || !strings.Contains(r.Err.Error(), "s:53: "+tt.want) {
					t.Errorf("Ask = %+v, want an error with %q", r, tt.want)
				}
			})
		}
	}
}

// What one server says of a chain must not mislead about the next.
func TestLoopAtOneServerDoesNotSpoilTheNext(t *testing.T) {
	n := &fakeNet{handlers: map[string]handler{
		"a:53": says(t, "a.test. 60 IN CNAME b.test.", "b.test. 60 IN CNAME a.test."),
		"b:53": says(t, "a.test. 60 IN CNAME b.test.", "b.test. 60 IN A 10.0.0.1"),
	}}
	if r := open(t, n, servers("a:53", "b:53")).Ask(t.Context(), question, never); r.Err != nil || len(r.Addrs) != 1 {
		t.Errorf("Ask = %+v, want one address", r)
	}
}

func TestServerThatIsNotResponsibleIsPassedOver(t *testing.T) {
	lame := func(_ context.Context, q lookup.Question) (*dns.Msg, error) {
		m := message(t, q, dns.RcodeSuccess)
		m.RecursionAvailable = false
		return m, nil
	}
	if r := askOnce(t, lame, question); r.Err == nil || !strings.Contains(r.Err.Error(), "not responsible") {
		t.Errorf("Ask = %+v, want an error", r)
	}
}

func TestUnknownResponseCodeIsAnError(t *testing.T) {
	if r := askOnce(t, refuses(t, 4000), question); r.Err == nil || !strings.Contains(r.Err.Error(), "answered response code 4000") {
		t.Errorf("Ask = %+v, want an error", r)
	}
}
