package lookup

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

var errNoAnswer = errors.New("no answer in time")

// reason is err without ports and addresses that change each time.
func reason(err error) error {
	var errno syscall.Errno
	var dnsErr *net.DNSError
	var opErr *net.OpError
	switch {
	case errors.As(err, new(*rejected)):
		return err
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return errNoAnswer
	case errors.As(err, &errno):
		return errno
	case errors.As(err, &dnsErr): // of a server's own name
		return errors.New(dnsErr.Err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the connection was closed")
	case errors.As(err, &opErr):
		return opErr.Err
	default:
		return err
	}
}
