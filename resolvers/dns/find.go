package dns

import (
	"context"
	"net/netip"
	"slices"
	"sync"

	"github.com/evenkeel-grpc/evenkeel/resolvers/dns/internal/lookup"
)

// found is what was found out about a name: addresses, or why there are none. It
// has both if the addresses are old and could not be confirmed.
type found struct {
	addrs   []netip.Addr
	missing string // who says that there are none
	err     error
}

// address looks for the addresses of the target's host.
func (s *source) address(ctx context.Context) (f found, name string) {
	if f.addrs = s.hostsFile(s.cfg.host); len(f.addrs) > 0 {
		return f, ""
	}
	return s.search(ctx, s.names(s.cfg.host), s.host)
}

// search tries the names that a host may stand for, in order, and returns the
// first that there is. When one cannot be looked up that was there before, the
// ones after it are not tried: they may be another service's.
func (s *source) search(ctx context.Context, names []string, look func(context.Context, string) found) (f found, name string) {
	var failed, missing found
	for _, n := range names {
		f := look(ctx, n)
		switch {
		case f.err == nil && f.missing == "":
			s.name = n
			return f, n
		case f.err != nil && n == s.name:
			return f, n
		case f.err != nil && failed.err == nil:
			failed = f
		case f.err == nil && missing.missing == "":
			missing = f
		}
	}
	if failed.err != nil {
		return failed, ""
	}
	return missing, ""
}

// host looks for the addresses of a fully qualified name.
func (s *source) host(ctx context.Context, name string) found {
	var v4, v6 answer
	var wg sync.WaitGroup
	wg.Go(func() { v4 = s.memory.ask(ctx, lookup.Question{Name: name, Type: lookup.TypeA}) })
	v6 = s.memory.ask(ctx, lookup.Question{Name: name, Type: lookup.TypeAAAA})
	wg.Wait()
	return both(v4, v6)
}

// both puts the two families together. If one cannot be looked up, its last good
// addresses stay, as long as the other shows that the name is still there.
func both(v4, v6 answer) found {
	f := found{addrs: slices.Concat(v4.Addrs, v6.Addrs)}
	switch {
	case confirmed(v4), confirmed(v6):
		return f
	case denied(v4):
		return found{missing: v4.Missing}
	case denied(v6):
		return found{missing: v6.Missing}
	case v4.err != nil:
		f.err = v4.err
	case v6.err != nil:
		f.err = v6.err
	default:
		f.missing = v4.Missing
	}
	return f
}

// confirmed tells whether there are addresses for certain.
func confirmed(a answer) bool { return a.err == nil && len(a.Addrs) > 0 }

// denied tells whether the name does not exist for certain.
func denied(a answer) bool { return a.err == nil && a.NXDomain }

// names returns the fully qualified names that host may stand for.
func (s *source) names(host string) []string {
	if s.servers.System {
		return []string{host}
	}
	return s.local.Resolv().Names(host)
}

// namesAt returns the names below that of the host: of the one that was found, or
// else of all that the host may stand for.
func (s *source) namesAt(prefix, found string) []string {
	if found != "" {
		return []string{prefix + found}
	}
	return s.names(prefix + s.cfg.host)
}

// hostsFile returns the addresses that the hosts file has for a name.
func (s *source) hostsFile(name string) []netip.Addr {
	if s.servers.System {
		return nil // the system looks there itself
	}
	addrs := s.local.Hosts(name)
	s.fromFile = s.fromFile || len(addrs) > 0
	return addrs
}
