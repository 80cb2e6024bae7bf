package e2e

import (
	"errors"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/evenkeel-grpc/evenkeel/internal/held"
)

// mustRefuse fails the test if the address does not refuse a client, or if a
// stranger can bind its port.
func mustRefuse(t *testing.T, network, addr string) {
	t.Helper()
	var d net.Dialer
	c, err := d.DialContext(t.Context(), network, addr)
	if err == nil {
		defer func() { _ = c.Close() }()
		_, _ = c.Write([]byte("question"))
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		_, err = c.Read(make([]byte, 1))
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a client of %s over %s: %v, want that it is refused", addr, network, err)
	}
	tcp, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	kind := map[string]int{"tcp": syscall.SOCK_STREAM, "udp": syscall.SOCK_DGRAM}[network]
	fd, err := syscall.Socket(syscall.AF_INET, kind|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Close(fd) }()
	err = syscall.Bind(fd, &syscall.SockaddrInet4{Port: tcp.Port, Addr: [4]byte(tcp.IP.To4())})
	if !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("a stranger binds %s for %s: %v, want that it is in use", addr, network, err)
	}
}

// A server that has not started, or has stopped, keeps its ports.
func TestServersKeepTheirPorts(t *testing.T) {
	type server struct {
		tcp, udp    []string
		start, stop func()
	}
	for name, create := range map[string]func(*testing.T) server{
		"backend": func(t *testing.T) server {
			t.Helper()
			b := startBackend(t)
			stop := func() {
				mustCall(t, dial(t, b.addr)) // it has started
				b.server.Stop()
			}
			stop()
			return server{[]string{b.addr}, nil, func() { b = startBackendAt(t, b.addr) }, stop}
		},
		"etcd": func(t *testing.T) server {
			t.Helper()
			s := newEtcd(t)
			return server{[]string{s.addr, s.members[0].peer}, nil, func() { s.start(t) }, s.stop}
		},
		"Consul": func(t *testing.T) server {
			t.Helper()
			s := newConsul(t)
			return server{[]string{s.http, s.https, s.serf, s.wan}, nil, func() { s.start(t) }, s.kill}
		},
		"CoreDNS": func(t *testing.T) server {
			t.Helper()
			s := newCoreDNS(t)
			return server{[]string{s.addr}, []string{s.addr}, func() { s.start(t, "") }, func() { s.stop() }}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := create(t)
			check := func() {
				t.Helper()
				for _, addr := range s.tcp {
					mustRefuse(t, "tcp", addr)
				}
				for _, addr := range s.udp {
					mustRefuse(t, "udp", addr)
				}
			}
			for range 2 {
				check()
				s.start()
				s.stop()
			}
			check()
		})
	}
}

func TestEtcdStartsBesideAPortThatIsTaken(t *testing.T) {
	b := startBackend(t)
	held.ProposeAgain(t, b.addr)
	s := startEtcd(t)
	if s.addr == b.addr {
		t.Fatalf("etcd has the address of a backend, %s", s.addr)
	}
	put(t, s.client(t), "x/1", b.addr)
	waitForBackends(t, dial(t, "etcd://"+s.addr+"/x"), b)
}
