package lookup_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/evenkeel-grpc/evenkeel/resolvers/dns/internal/lookup"
)

// tlsServer is a server over TLS that counts its connections.
type tlsServer struct {
	addr     string
	roots    *x509.CertPool
	accepted atomic.Int64
	last     atomic.Pointer[net.Conn]
}

func (s *tlsServer) Accept(lis net.Listener) (net.Conn, error) {
	c, err := lis.Accept()
	if err == nil {
		s.accepted.Add(1)
		s.last.Store(&c)
	}
	return c, err
}

type acceptor struct {
	net.Listener
	s *tlsServer
}

func (a acceptor) Accept() (net.Conn, error) { return a.s.Accept(a.Listener) }

func serveTLS(t *testing.T, h dns.HandlerFunc) *tlsServer {
	t.Helper()
	s := &tlsServer{roots: x509.NewCertPool()}
	cert := certificate(t, "dns.test")
	s.roots.AddCert(cert.Leaf)
	var lc net.ListenConfig
	lis, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = lis.Addr().String()
	config := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13}
	run(t, &dns.Server{Listener: tls.NewListener(acceptor{lis, s}, config), Net: "tcp-tls", Handler: h, IdleTimeout: func() time.Duration { return time.Minute }})
	return s
}

// certificate returns one that vouches for itself.
func certificate(t *testing.T, name string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func (s *tlsServer) open(t *testing.T, serverName string) *lookup.Session {
	t.Helper()
	session := (&lookup.Cache{}).Open(lookup.Servers{
		Addrs: []string{s.addr}, ServerName: serverName, TLS: &tls.Config{RootCAs: s.roots, MinVersion: tls.VersionTLS12},
		Timeout: 10 * time.Second, Attempts: 1, Limit: time.Minute,
	})
	t.Cleanup(session.Close)
	return session
}

func TestConnectionOverTLSIsUsedAgain(t *testing.T) {
	s := serveTLS(t, func(w dns.ResponseWriter, m *dns.Msg) { send(w, reply(m, 2)) })
	session := s.open(t, "dns.test")
	for range 10 {
		if r := session.Ask(t.Context(), question, never); r.Err != nil || len(r.Addrs) != 2 {
			t.Fatalf("Ask = %+v, want two addresses", r)
		}
	}
	if got := s.accepted.Load(); got != 1 {
		t.Errorf("connections for ten look-ups = %d, want 1", got)
	}
}

func TestConnectionThatTheServerHasClosedIsReplaced(t *testing.T) {
	s := serveTLS(t, func(w dns.ResponseWriter, m *dns.Msg) { send(w, reply(m, 2)) })
	session := s.open(t, "dns.test")
	for range 3 {
		if r := session.Ask(t.Context(), question, never); r.Err != nil {
			t.Fatalf("Ask = %v, want an answer", r.Err)
		}
		_ = (*s.last.Load()).Close()
	}
	if got := s.accepted.Load(); got != 3 {
		t.Errorf("connections = %d, want 3", got)
	}
}

func TestCertificateOfAnotherServerIsRefused(t *testing.T) {
	s := serveTLS(t, func(w dns.ResponseWriter, m *dns.Msg) { send(w, reply(m, 2)) })
	r := s.open(t, "other.test").Ask(t.Context(), question, never)
	if r.Err == nil || !strings.Contains(r.Err.Error(), "dns.test, not other.test") {
		t.Errorf("Ask = %v, want an error about the certificate", r.Err)
	}
}

// The connection of the last session is closed with it: the server sees the end
// of it at once and not after its idle timeout.
func TestCloseClosesConnections(t *testing.T) {
	s := serveTLS(t, func(w dns.ResponseWriter, m *dns.Msg) { send(w, reply(m, 2)) })
	session := s.open(t, "dns.test")
	session.Ask(t.Context(), question, never)
	session.Close()
	conn := *s.last.Load()
	for began := time.Now(); ; time.Sleep(time.Millisecond) {
		// The server closes its side when the client has.
		if err := conn.SetDeadline(time.Time{}); err != nil {
			return
		}
		if time.Since(began) > 10*time.Second {
			t.Fatal("the connection is still open after 10 s")
		}
	}
}

func TestIdleConnectionIsClosed(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 10 s")
	}
	t.Parallel()
	s := serveTLS(t, func(w dns.ResponseWriter, m *dns.Msg) { send(w, reply(m, 2)) })
	session := s.open(t, "dns.test")
	session.Ask(t.Context(), question, never)
	conn := *s.last.Load()
	for began := time.Now(); conn.SetDeadline(time.Time{}) == nil; time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > 30*time.Second {
			t.Fatal("the connection is still open after 30 s")
		}
	}
	if r := session.Ask(t.Context(), question, never); r.Err != nil {
		t.Errorf("Ask = %v, want an answer over a new connection", r.Err)
	}
}
