package held_test

import (
	"errors"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/evenkeel-grpc/evenkeel/internal/held"
)

// refuses fails the test if the address does not refuse a client.
func refuses(t *testing.T, network, addr string) {
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
}

func TestAddressesDiffer(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		addr := held.Addr(t)
		if seen[addr] {
			t.Fatalf("%s was given twice", addr)
		}
		seen[addr] = true
	}
}

func TestAnAddressRefusesUntilAServerListens(t *testing.T) {
	for name, addr := range map[string]string{"shared": held.Addr(t), "refusing": held.Refusing(t)} {
		t.Run(name, func(t *testing.T) {
			var lc net.ListenConfig
			for range 3 { // servers, one after the other
				refuses(t, "tcp", addr)
				refuses(t, "udp", addr)
				lis, err := lc.Listen(t.Context(), "tcp", addr)
				if listens := err == nil; listens != (name == "shared") {
					t.Fatalf("a server at %s: %v", addr, err)
				}
				if lis != nil {
					_ = lis.Close()
				}
			}
		})
	}
}

func TestAPortThatIsTakenIsPassedOver(t *testing.T) {
	var lc net.ListenConfig
	addr := held.Addr(t)
	held.ProposeAgain(t, addr)
	if got := held.Addr(t); got == addr {
		t.Errorf("%s was given twice", addr)
	}
	var freed string
	t.Run("", func(t *testing.T) { freed = held.Addr(t) })
	lis, err := lc.Listen(t.Context(), "tcp", freed)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lis.Close() }()
	held.ProposeAgain(t, freed)
	if got := held.Refusing(t); got == freed {
		t.Errorf("%s was given, where a server listens", freed)
	}
}

func TestAPortIsHeldAtTheOtherAddressesToo(t *testing.T) {
	_, port, err := net.SplitHostPort(held.Refusing(t))
	if err != nil {
		t.Fatal(err)
	}
	var lc net.ListenConfig
	if lis, err := lc.Listen(t.Context(), "tcp", "127.0.0.2:"+port); err == nil {
		_ = lis.Close()
		t.Errorf("a server can listen at %s", lis.Addr())
	}
}
