//go:build !linux

package held

import (
	"fmt"
	"net"
)

// occupy finds out whether a port is free, and does not hold it: elsewhere a
// server cannot share the port of a socket that is bound.
func occupy(port int, _, _ bool) (release func(), err error) {
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	lis, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	defer func() { _ = lis.Close() }()
	pc, err := net.ListenPacket("udp", addr)
	if err != nil {
		return nil, err
	}
	return func() {}, pc.Close()
}
