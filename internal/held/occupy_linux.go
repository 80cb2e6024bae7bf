package held

import (
	"errors"
	"syscall"
)

// occupy binds a port that is free with sockets that take nothing in: one for
// TCP, at all addresses, that does not listen, and one for UDP, at 127.0.0.1, that
// is connected to itself. So the kernel tells clients that they are refused.
//
// A server can bind a shared port as well, with SO_REUSEADDR for TCP, as all of
// Go's listeners do, and with SO_REUSEPORT for UDP, as CoreDNS does. These options
// are set late, so that two callers never share. Without udp, the port is not held
// for UDP.
func occupy(port int, shared, udp bool) (release func(), err error) {
	tcp, err := bind(syscall.SOCK_STREAM, &syscall.SockaddrInet4{Port: port})
	if err != nil {
		return nil, err
	}
	self := &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}
	dgram, err := bind(syscall.SOCK_DGRAM, self)
	if err != nil {
		_ = syscall.Close(tcp)
		return nil, err
	}
	err = syscall.Connect(dgram, self)
	if shared {
		err = errors.Join(err,
			syscall.SetsockoptInt(tcp, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1),
			syscall.SetsockoptInt(dgram, syscall.SOL_SOCKET, soReusePort, 1))
	}
	if udp && err == nil {
		return func() { _, _ = syscall.Close(tcp), syscall.Close(dgram) }, nil
	}
	_ = syscall.Close(dgram)
	if err != nil {
		_ = syscall.Close(tcp)
		return nil, err
	}
	return func() { _ = syscall.Close(tcp) }, nil
}

// soReusePort is SO_REUSEPORT, which package syscall lacks.
const soReusePort = 0xf

// bind returns a socket that shares its port with no other, and is not inherited
// by other processes.
func bind(kind int, addr syscall.Sockaddr) (int, error) {
	fd, err := syscall.Socket(syscall.AF_INET, kind|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	if err := syscall.Bind(fd, addr); err != nil {
		_ = syscall.Close(fd)
		return 0, err
	}
	return fd, nil
}
