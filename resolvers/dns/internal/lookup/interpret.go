package lookup

import (
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/miekg/dns"
)

// maxAliases is how many names a chain may have.
const maxAliases = 16

var (
	errLoop  = errors.New("its aliases form a loop")
	errChain = fmt.Errorf("more than %d aliases", maxAliases)
	errLame  = errors.New("answered nothing, as a server does that is not responsible")
)

// chain is a walk along aliases, over one answer or several.
type chain struct {
	seen map[string]bool // names so far
	ttl  time.Duration   // the least so far
}

func newChain() *chain {
	return &chain{seen: map[string]bool{}, ttl: 1<<63 - 1}
}

// clone is for an answer that may not count.
func (c *chain) clone() *chain { return &chain{seen: maps.Clone(c.seen), ttl: c.ttl} }

// step goes on from name to another one, or none.
func (c *chain) step(name string, header *dns.RR_Header) error {
	c.ttl = min(c.ttl, ttl(header.Ttl))
	switch {
	case c.seen[name]:
		return errLoop
	case len(c.seen) >= maxAliases:
		return errChain
	}
	c.seen[name] = true
	return nil
}

// interpret reads what m answers to q. If that ends in an alias about which m
// says nothing, next is the question that is left.
func (c *chain) interpret(m *dns.Msg, q Question, server string) (r Result, next *Question, err error) {
	switch m.Rcode {
	case dns.RcodeSuccess, dns.RcodeNameError:
	default:
		return r, nil, fmt.Errorf("answered %s", rcode(m.Rcode))
	}
	owners := byOwner(m.Answer)
	name := dns.CanonicalName(q.Name)
	for {
		found, alias := owners.find(name, q.Type)
		if len(found) > 0 {
			return c.records(found), nil, nil
		}
		if alias == nil {
			break
		}
		if err := c.step(name, alias.Header()); err != nil {
			return r, nil, err
		}
		name = dns.CanonicalName(alias.Target)
	}
	if c.seen[name] {
		return r, nil, errLoop
	}
	switch {
	case m.Rcode == dns.RcodeNameError, soa(m) != nil:
		return c.denied(m, server), nil, nil
	case name != dns.CanonicalName(q.Name):
		return r, &Question{Name: name, Type: q.Type}, nil
	case !m.Authoritative && !m.RecursionAvailable:
		return r, nil, errLame
	default:
		return c.denied(m, server), nil, nil
	}
}

// records makes a result of the records at the end of the chain.
func (c *chain) records(found []dns.RR) (r Result) {
	for _, rr := range found {
		if r.take(rr) {
			c.ttl = min(c.ttl, ttl(rr.Header().Ttl))
		}
	}
	r.TTL = c.ttl
	return r
}

// denied makes a result of an answer without records. Its TTL is that of RFC
// 2308, zero if the answer does not say.
func (c *chain) denied(m *dns.Msg, server string) Result {
	what := "that there are no such records (NODATA)"
	if m.Rcode != dns.RcodeSuccess {
		what = rcode(m.Rcode)
	}
	r := Result{
		Missing:  fmt.Sprintf("%s answered %s", server, what),
		NXDomain: m.Rcode == dns.RcodeNameError,
	}
	if s := soa(m); s != nil {
		r.TTL = min(c.ttl, ttl(s.Hdr.Ttl), ttl(s.Minttl))
	}
	return r
}

// ownerRecords are the records of an answer by the name that they are about.
type ownerRecords map[string][]dns.RR

func byOwner(answer []dns.RR) ownerRecords {
	owners := ownerRecords{}
	for _, rr := range answer {
		if h := rr.Header(); h.Class == dns.ClassINET {
			name := dns.CanonicalName(h.Name)
			owners[name] = append(owners[name], rr)
		}
	}
	return owners
}

// find returns the records of a type, or else the alias.
func (o ownerRecords) find(name string, t Type) (found []dns.RR, alias *dns.CNAME) {
	for _, rr := range o[name] {
		if rr.Header().Rrtype == uint16(t) {
			found = append(found, rr)
		}
		if c, ok := rr.(*dns.CNAME); ok && alias == nil {
			alias = c
		}
	}
	return found, alias
}

func soa(m *dns.Msg) *dns.SOA {
	for _, rr := range m.Ns {
		if s, ok := rr.(*dns.SOA); ok {
			return s
		}
	}
	return nil
}

// ttl reads the seconds of a record. Those with the highest bit count as none:
// RFC 2181, section 8.
func ttl(seconds uint32) time.Duration {
	if seconds > 1<<31-1 {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

// rcode names a response code.
func rcode(code int) string {
	if name, ok := dns.RcodeToString[code]; ok {
		return name
	}
	return fmt.Sprintf("response code %d", code)
}
