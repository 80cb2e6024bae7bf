package lookup

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// payload is the datagram size that is offered with EDNS0: it fits into one
// Ethernet frame, so that answers are not lost as fragments.
const payload = 1232

// buffer is what a datagram is read into, for servers that send larger ones.
const buffer = 4096

// errTruncated is for an answer that is incomplete even where it need not be.
var errTruncated = errors.New("the answer is truncated, also over TCP: it has more records than a message can hold")

var errMalformed = errors.New("a malformed message")

// rejected is the error for datagrams that came, but were not the answer.
type rejected struct{ last error }

func (r *rejected) Error() string {
	return fmt.Sprintf("no answer in time, but a datagram with %v", r.last)
}

// transport asks servers over the network.
type transport struct {
	dialer net.Dialer
	tls    *tls.Config // nil: UDP and TCP in the clear
	pool   pool        // of TLS connections
	heard  func()      // is told of every connection
}

func newTransport(s Servers, heard func()) *transport {
	t := &transport{heard: heard}
	if s.ServerName == "" {
		return t
	}
	t.tls = &tls.Config{MinVersion: tls.VersionTLS12}
	if s.TLS != nil {
		t.tls = s.TLS.Clone()
	}
	t.tls.ServerName = s.ServerName
	if t.tls.ClientSessionCache == nil {
		t.tls.ClientSessionCache = tls.NewLRUClientSessionCache(len(s.Addrs))
	}
	return t
}

// query builds the message that asks q.
func query(q Question) *dns.Msg {
	m := new(dns.Msg)
	m.SetQuestion(q.Name, uint16(q.Type))
	m.SetEdns0(payload, false)
	return m
}

var _ exchanger = (*transport)(nil).exchange

func (t *transport) exchange(ctx context.Context, server string, q Question) (*dns.Msg, error) {
	if t.tls != nil {
		return t.overTLS(ctx, server, query(q))
	}
	m := query(q)
	answer, err := t.once(ctx, "udp", server, m)
	if err == nil && refusesEDNS(answer) {
		m.Extra = nil
		answer, err = t.once(ctx, "udp", server, m)
	}
	if err == nil && answer.Truncated {
		answer, err = t.once(ctx, "tcp", server, m)
	}
	return whole(answer, err)
}

// refusesEDNS recognises a server that predates EDNS0 (RFC 6891, section 7).
func refusesEDNS(answer *dns.Msg) bool {
	return answer.IsEdns0() == nil && (answer.Rcode == dns.RcodeFormatError || answer.Rcode == dns.RcodeNotImplemented)
}

// whole turns a truncated answer into an error. Servers leave out what is needed
// least first (RFC 2181, section 9): if the answer still comes with additional
// records, such as the addresses of SRV targets, then only some of those are
// missing, which do not matter here.
func whole(answer *dns.Msg, err error) (*dns.Msg, error) {
	if err == nil && answer.Truncated && !slices.ContainsFunc(answer.Extra, isRecord) {
		return nil, errTruncated
	}
	return answer, err
}

// isRecord tells records from those that are about the message.
func isRecord(rr dns.RR) bool { return rr.Header().Rrtype != dns.TypeOPT }

// once asks over a connection of its own, and so from a port of its own, which
// makes forged answers harder (RFC 5452).
func (t *transport) once(ctx context.Context, network, server string, m *dns.Msg) (*dns.Msg, error) {
	conn, err := t.dialer.DialContext(ctx, network, server)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	answer, _, err := talk(ctx, &dns.Conn{Conn: conn, UDPSize: buffer}, network == "udp", m)
	return answer, err
}

// overTLS asks over a connection that an earlier question has left, or a new
// one.
func (t *transport) overTLS(ctx context.Context, server string, m *dns.Msg) (*dns.Msg, error) {
	if conn := t.pool.take(server); conn != nil {
		// The server may have closed it just now: that says nothing about it.
		if answer, err := t.pooled(ctx, server, conn, m); err == nil || ctx.Err() != nil {
			return whole(answer, err)
		}
	}
	conn, err := t.dialTLS(ctx, server)
	if err != nil {
		return nil, err
	}
	return whole(t.pooled(ctx, server, conn, m))
}

func (t *transport) dialTLS(ctx context.Context, server string) (net.Conn, error) {
	raw, err := t.dialer.DialContext(ctx, "tcp", server)
	if err != nil {
		return nil, err
	}
	t.heard()
	conn := tls.Client(raw, t.tls)
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		return nil, err
	}
	return conn, nil
}

// pooled asks over conn, and keeps it for the next question if it is still good.
func (t *transport) pooled(ctx context.Context, server string, conn net.Conn, m *dns.Msg) (*dns.Msg, error) {
	answer, clean, err := talk(ctx, &dns.Conn{Conn: conn}, false, m)
	if err != nil || !clean {
		_ = conn.Close()
		return answer, err
	}
	t.pool.put(server, conn)
	return answer, nil
}

// talk sends m and waits for its answer. clean tells whether conn may be used
// again.
func talk(ctx context.Context, conn *dns.Conn, datagrams bool, m *dns.Msg) (answer *dns.Msg, clean bool, err error) {
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer func() { clean = stop() }()
	if err := conn.WriteMsg(m); err != nil {
		return nil, false, err
	}
	answer, err = receive(conn, datagrams, m)
	return answer, false, err
}

// receive reads until it has the answer to m. A datagram that is anything else
// may be forged or late, and is passed over; on a stream it means that the
// server is broken.
func receive(conn *dns.Conn, datagrams bool, m *dns.Msg) (*dns.Msg, error) {
	var last error
	for {
		raw, err := conn.ReadMsgHeader(nil)
		if err != nil && last != nil && errors.As(err, new(net.Error)) {
			return nil, &rejected{last}
		}
		short := datagrams && errors.Is(err, dns.ErrShortRead)
		if err != nil && !short {
			return nil, err
		}
		answer, err := parse(raw, m)
		if err == nil {
			return answer, nil
		}
		if !datagrams {
			return nil, fmt.Errorf("answered with %w", err)
		}
		if errors.Is(err, errMalformed) && len(raw) > 2 && binary.BigEndian.Uint16(raw) == m.Id {
			return &dns.Msg{MsgHdr: dns.MsgHdr{Truncated: true}}, nil // most likely it was cut off
		}
		last = err
	}
}

// parse reads what should be the answer to m.
func parse(raw []byte, m *dns.Msg) (*dns.Msg, error) {
	answer := new(dns.Msg)
	if err := answer.Unpack(raw); err != nil {
		return nil, errMalformed
	}
	if answer.Id != m.Id {
		return nil, errors.New("another id")
	}
	if !answer.Response || answer.Opcode != dns.OpcodeQuery {
		return nil, errors.New("no answer in it")
	}
	if !answers(answer, m.Question[0]) {
		return nil, errors.New("another question")
	}
	return answer, nil
}

// answers tells whether m is about q. A server that does not understand a
// question need not repeat it.
func answers(m *dns.Msg, q dns.Question) bool {
	if len(m.Question) == 0 {
		return m.Rcode == dns.RcodeFormatError || m.Rcode == dns.RcodeNotImplemented
	}
	got := m.Question[0]
	return len(m.Question) == 1 && got.Qtype == q.Qtype && got.Qclass == q.Qclass && strings.EqualFold(got.Name, q.Name)
}
