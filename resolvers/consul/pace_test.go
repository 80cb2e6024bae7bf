package consul

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"testing"
	"time"
)

func TestNextIndex(t *testing.T) {
	for _, tt := range []struct{ last, got, want uint64 }{
		{0, 5, 5}, {5, 5, 5}, {5, 6, 6}, {5, 4, 0}, {5, 0, 0}, {0, 0, 1}, {1, 1, 1},
	} {
		if got := nextIndex(tt.last, tt.got); got != tt.want {
			t.Errorf("nextIndex(%d, %d) = %d, want %d", tt.last, tt.got, got, tt.want)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"":                              0,
		"0":                             0,
		"7":                             7 * time.Second,
		"-7":                            0,
		"86400":                         maxRest,
		"soon":                          0,
		"Fri, 02 Jan 2026 03:04:15 GMT": 10 * time.Second,
		"Fri, 02 Jan 2026 03:04:00 GMT": 0,
		"Sat, 03 Jan 2026 03:04:05 GMT": maxRest,
	} {
		if got := retryAfter(header, now); got != want {
			t.Errorf("retryAfter(%q) = %v, want %v", header, got, want)
		}
	}
}

func TestReasonIsTheSameEachTime(t *testing.T) {
	addr := func(port int) net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port} }
	read := func(port int) error {
		op := &net.OpError{Op: "read", Net: "tcp", Source: addr(port), Addr: addr(8500), Err: errors.New("connection reset by peer")}
		return &url.Error{Op: "Get", URL: "http://127.0.0.1:8500/v1/health/service/x?index=" + strconv.Itoa(port), Err: op}
	}
	alert := &net.OpError{Op: "remote error", Err: errors.New("tls: certificate required")}
	for _, tt := range []struct {
		err  error
		want string
	}{
		{read(1), "read 127.0.0.1:8500: connection reset by peer"},
		{read(2), "read 127.0.0.1:8500: connection reset by peer"},
		{alert, "remote error: tls: certificate required"},
		{fmt.Errorf("readLoopPeekFailLocked: %w", alert), "remote error: tls: certificate required"},
		{io.ErrUnexpectedEOF, "unexpected EOF"},
	} {
		if got := reason(tt.err).Error(); got != tt.want {
			t.Errorf("reason(%v) = %s, want %s", tt.err, got, tt.want)
		}
	}
}
