package lookup

import (
	"net/netip"
	"time"

	"github.com/miekg/dns"
)

// Type is the kind of record that is asked for.
type Type uint16

// The types that a resolver needs.
const (
	TypeA    = Type(dns.TypeA)
	TypeAAAA = Type(dns.TypeAAAA)
	TypeSRV  = Type(dns.TypeSRV)
	TypeTXT  = Type(dns.TypeTXT)
)

// String returns the type's name, e.g. "AAAA".
func (t Type) String() string { return dns.TypeToString[uint16(t)] }

// Question is what one look-up asks.
type Question struct {
	Name string // fully qualified, with the final dot
	Type Type
}

// SRV is a record of RFC 2782.
type SRV struct {
	Target                 string // fully qualified
	Port, Priority, Weight uint16
}

// Result is what became of one look-up. What it holds must not be changed:
// others have it too.
type Result struct {
	// Of the records of the type that was asked for, in the answer's order. All
	// are empty if there are none, or Err is set.
	Addrs []netip.Addr
	SRVs  []SRV
	TXTs  []string // each record's strings, joined

	// Missing says which server denied that there are records, and how: e.g.
	// "127.0.0.1:53 answered NXDOMAIN". It is empty if there are some.
	Missing string
	// NXDomain is set if what is missing is the name, whatever the type.
	NXDomain bool

	// TTL is how long the answer may be used, for a denial according to RFC
	// 2308. It is zero for one that does not say, and for a failure.
	TTL time.Duration

	// Err says why there is no answer.
	Err error

	// At is when the answer came.
	At time.Time
}

// Empty tells whether a server said that there are no such records.
func (r Result) Empty() bool { return r.Missing != "" }

// take reads what a record says. It returns false for one of another type.
func (r *Result) take(rr dns.RR) bool {
	switch rr := rr.(type) {
	case *dns.A:
		return r.addr(rr.A)
	case *dns.AAAA:
		return r.addr(rr.AAAA)
	case *dns.SRV:
		r.SRVs = append(r.SRVs, SRV{dns.CanonicalName(rr.Target), rr.Port, rr.Priority, rr.Weight})
		return true
	case *dns.TXT:
		r.TXTs = append(r.TXTs, text(rr.Txt))
		return true
	default:
		return false
	}
}

// addr takes an address of 4 or 16 bytes. An IPv4 address in IPv6 form is the
// same endpoint as without.
func (r *Result) addr(ip []byte) bool {
	a, ok := netip.AddrFromSlice(ip)
	if ok {
		r.Addrs = append(r.Addrs, a.Unmap())
	}
	return ok
}
