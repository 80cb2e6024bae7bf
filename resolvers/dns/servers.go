package dns

import (
	"sync"

	"github.com/evenkeel-grpc/evenkeel/resolvers/dns/internal/lookup"
)

// explained has the reasons that were logged for leaving a look-up to the
// operating system.
var explained sync.Map

// choose returns the servers to ask: the target's, the host's, or the operating
// system's resolver for what only that can do.
func (s *source) choose() lookup.Servers {
	if len(s.cfg.servers) == 0 {
		if why := s.local.Unsupported(s.cfg.host); why != "" {
			if _, known := explained.LoadOrStore(why, true); !known {
				logger.Warningf("using the operating system's resolver, which tells no TTL: names are looked up every %v; because of %s", lookup.SystemTTL, why)
			}
			return lookup.Servers{System: true, Limit: resolvingTimeout}
		}
	}
	r := s.local.Resolv()
	servers := lookup.Servers{
		Addrs:    r.Servers,
		Timeout:  min(r.Timeout, resolvingTimeout),
		Attempts: r.Attempts,
		Rotate:   r.Rotate,
		Limit:    resolvingTimeout,
	}
	if len(s.cfg.servers) > 0 {
		servers.Addrs = s.cfg.servers
	}
	if s.cfg.tls != "" {
		servers.ServerName = s.cfg.tls
		servers.TLS = s.tls
	}
	return servers
}
