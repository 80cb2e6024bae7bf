// Package held gives tests addresses of this host whose ports nobody else can
// take, whether a server of the test's listens there, or not yet, or no longer.
//
// # Failure
//
// Ports that are taken are passed over. If none is left the test fails. Only
// Linux can hold a port without listening: elsewhere a port is free when it is
// given, and may be taken later.
package held

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"testing"
)

// Addr returns an address at 127.0.0.1 that is the test's own until it ends.
// Servers of the test can listen there, one after the other; while none does,
// the address refuses. Its port is held at 127.0.0.2 and up, too, but for TCP
// only.
func Addr(tb testing.TB) string {
	tb.Helper()
	return hold(tb, true, true)
}

// TCP is Addr for a server whose UDP socket can share its port with no other. The
// port is free for UDP, but held for TCP only.
func TCP(tb testing.TB) string {
	tb.Helper()
	return hold(tb, true, false)
}

// Refusing returns an address that refuses until the test ends: nothing can
// listen there.
func Refusing(tb testing.TB) string {
	tb.Helper()
	return hold(tb, false, true)
}

// ProposeAgain makes the port of an address the next that is tried, for tests of
// what happens if it is taken.
func ProposeAgain(tb testing.TB, addr string) {
	tb.Helper()
	tcp, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		tb.Fatal(err)
	}
	proposed.Store(uint32(tcp.Port - firstPort - 1 + ports))
}

func hold(tb testing.TB, shared, udp bool) string {
	tb.Helper()
	var err error
	for range ports {
		port := firstPort + int(proposed.Add(1)%ports)
		var release func()
		if release, err = occupy(port, shared, udp); err == nil {
			tb.Cleanup(release)
			return fmt.Sprintf("127.0.0.1:%d", port)
		}
	}
	tb.Fatalf("no port from %d to %d can be held, the last because of: %v", firstPort, firstPort+ports-1, err)
	return ""
}

// The ports that are proposed are below those that Linux gives to sockets that
// ask for any port, or are connected without one.
const firstPort, ports = 20000, 12000

// proposed counts. It starts anywhere, as other processes do the same.
var proposed atomic.Uint32

func init() { proposed.Store(rand.Uint32N(ports)) }
