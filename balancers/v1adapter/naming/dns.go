package naming

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"google.golang.org/grpc/grpclog"
)

const (
	defaultFreq = 30 * time.Minute
	// retryDelay is how soon a lookup that has failed is tried again.
	retryDelay = 30 * time.Second
)

var logger = grpclog.Component("v1adapter/naming")

var errClosed = errors.New("watcher has been closed")

// NewDNSResolver is [NewDNSResolverWithFreq] for every 30 minutes.
func NewDNSResolver() (Resolver, error) { return NewDNSResolverWithFreq(defaultFreq) }

// NewDNSResolverWithFreq returns a resolver whose watchers look their target up
// with net.DefaultResolver, at once and then every freq, which must be positive.
// Targets are "host", "host:port", an IP address with or without a port, and
// ":port" for localhost; the default port is 443. An IP address is not looked
// up.
//
// If the host has SRV records for grpclb, the addresses are those of the load
// balancers, with an [AddrMetadataGRPCLB].
func NewDNSResolverWithFreq(freq time.Duration) (Resolver, error) {
	if freq <= 0 {
		return nil, fmt.Errorf("naming: DNS polling interval %v: want more than 0", freq)
	}
	return dnsResolver{freq}, nil
}

type dnsResolver struct{ freq time.Duration }

// Resolve returns a watcher. It does no I/O.
func (r dnsResolver) Resolve(target string) (Watcher, error) {
	host, port, err := splitTarget(target)
	if err != nil {
		return nil, err
	}
	closed := make(chan struct{})
	w := watcher{closed: closed, close: sync.OnceFunc(func() { close(closed) })}
	if _, err := netip.ParseAddr(host); err == nil {
		return &ipWatcher{watcher: w, addr: net.JoinHostPort(host, port)}, nil
	}
	return &dnsWatcher{watcher: w, host: host, port: port, freq: r.freq}, nil
}

// watcher is what watchers have in common.
type watcher struct {
	closed <-chan struct{}
	close  func()
}

// Close implements Watcher. It may be called again.
func (w *watcher) Close() { w.close() }

// isClosed reports whether Close was called.
func (w *watcher) isClosed() bool {
	select {
	case <-w.closed:
		return true
	default:
		return false
	}
}

// ipWatcher has one address for ever.
type ipWatcher struct {
	watcher
	addr string // empty once it was returned
}

// Next returns the address, and later waits for Close.
func (w *ipWatcher) Next() ([]*Update, error) {
	if w.addr == "" {
		<-w.closed
	}
	if w.isClosed() {
		return nil, errClosed
	}
	u := &Update{Op: Add, Addr: w.addr}
	w.addr = ""
	return []*Update{u}, nil
}

// dnsWatcher polls DNS.
type dnsWatcher struct {
	// Set once.
	watcher
	host, port string
	freq       time.Duration

	// Touched only by Next.
	current map[endpoint]bool
	wait    time.Duration // before the next lookup
}

// Next looks the host up until something has changed.
func (w *dnsWatcher) Next() ([]*Update, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-w.closed:
			cancel()
		case <-ctx.Done():
		}
	}()
	for {
		if err := w.pause(); err != nil {
			return nil, err
		}
		if changes := w.poll(ctx); len(changes) > 0 {
			return changes, nil
		}
	}
}

// pause waits until the next lookup is due.
func (w *dnsWatcher) pause() error {
	t := time.NewTimer(w.wait)
	defer t.Stop()
	select {
	case <-w.closed:
	case <-t.C:
	}
	if w.isClosed() {
		return errClosed
	}
	return nil
}

// poll does one lookup. If it fails, the addresses stay as they are.
func (w *dnsWatcher) poll(ctx context.Context) []*Update {
	found, err := lookup(ctx, w.host, w.port)
	if err != nil {
		w.wait = min(w.freq, retryDelay)
		logger.Warningf("looking up %q: %v", w.host, err)
		return nil
	}
	w.wait = w.freq
	changes := diff(w.current, found)
	w.current = found
	return changes
}
