package naming_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/net/dns/dnsmessage"
)

// zone is a DNS server on 127.0.0.1 that net.DefaultResolver asks.
type zone struct {
	mu   sync.Mutex          // guards the fields below
	a    map[string][]string // IPv4 addresses by name, which ends in a dot
	srv  map[string][]dnsmessage.SRVResource
	code dnsmessage.RCode // of all answers
	asks map[string]int   // queries for A by name
}

// nameserver is the address that net.DefaultResolver asks.
var nameserver atomic.Value

func TestMain(m *testing.M) {
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", fmt.Sprint(nameserver.Load()))
	}}
	goleak.VerifyTestMain(m)
}

// serve starts a zone and makes it the default.
func serve(t *testing.T) *zone {
	t.Helper()
	conn, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	z := &zone{a: map[string][]string{}, srv: map[string][]dnsmessage.SRVResource{}, asks: map[string]int{}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		z.run(conn)
	}()
	nameserver.Store(conn.LocalAddr().String())
	t.Cleanup(func() {
		_ = conn.Close()
		<-done
	})
	return z
}

func (z *zone) run(conn net.PacketConn) {
	buf := make([]byte, 1500)
	for {
		n, from, err := conn.ReadFrom(buf)
		if err != nil {
			return
		}
		var m dnsmessage.Message
		if m.Unpack(buf[:n]) != nil || len(m.Questions) != 1 {
			continue
		}
		z.answer(&m)
		if out, err := m.Pack(); err == nil {
			_, _ = conn.WriteTo(out, from)
		}
	}
}

// answer makes a response of a query.
func (z *zone) answer(m *dnsmessage.Message) {
	z.mu.Lock()
	defer z.mu.Unlock()
	q := m.Questions[0]
	name := strings.ToLower(q.Name.String())
	m.Response, m.RecursionAvailable, m.RCode, m.Additionals = true, true, z.code, nil
	header := dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET, Type: q.Type}
	switch q.Type {
	case dnsmessage.TypeA:
		z.asks[name]++
		for _, ip := range z.a[name] {
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AResource{A: [4]byte(net.ParseIP(ip).To4())}})
		}
	case dnsmessage.TypeSRV:
		for _, s := range z.srv[name] {
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: &s})
		}
	default:
	}
	if z.code == 0 && z.a[name] == nil && z.srv[name] == nil {
		m.RCode = dnsmessage.RCodeNameError
	}
}

// set replaces the addresses of a name; none means that it does not exist.
func (z *zone) set(name string, ips ...string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.a[name] = ips
}

func (z *zone) setSRV(name string, records ...dnsmessage.SRVResource) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.srv[name] = records
}

// fail makes all lookups fail, or succeed again with code 0.
func (z *zone) fail(code dnsmessage.RCode) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.code = code
}

func (z *zone) asked(name string) int {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.asks[name]
}
