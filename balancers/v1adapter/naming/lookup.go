package naming

import (
	"cmp"
	"context"
	"errors"
	"net"
	"slices"
	"strconv"
)

// endpoint is an address as an Update carries it.
type endpoint struct {
	addr     string
	metadata any // nil or an AddrMetadataGRPCLB
}

// lookup returns the load balancers of a host, or if it has none its addresses.
// A host that does not exist has no addresses; that is no error.
func lookup(ctx context.Context, host, port string) (map[endpoint]bool, error) {
	_, srvs, err := net.DefaultResolver.LookupSRV(ctx, "grpclb", "tcp", host)
	if err != nil { // Most hosts have none.
		return lookupHost(ctx, host, port, nil)
	}
	all := make(map[endpoint]bool)
	var errs []error
	for _, srv := range srvs {
		lb := AddrMetadataGRPCLB{AddrType: GRPCLB, ServerName: srv.Target}
		found, err := lookupHost(ctx, srv.Target, strconv.Itoa(int(srv.Port)), lb)
		errs = append(errs, err)
		for e := range found {
			all[e] = true
		}
	}
	if len(all) > 0 {
		return all, nil // Some load balancers are better than none.
	}
	return all, errors.Join(errs...)
}

func lookupHost(ctx context.Context, host, port string, metadata any) (map[endpoint]bool, error) {
	ips, err := net.DefaultResolver.LookupHost(ctx, host)
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound {
		err = nil
	}
	found := make(map[endpoint]bool)
	for _, ip := range ips {
		found[endpoint{net.JoinHostPort(ip, port), metadata}] = true
	}
	return found, err
}

// diff returns what makes now of old: the deletions, then the additions, each
// sorted.
func diff(old, now map[endpoint]bool) []*Update {
	return append(missing(Delete, old, now), missing(Add, now, old)...)
}

// missing returns an update for each endpoint of from that in does not have.
func missing(op Operation, from, in map[endpoint]bool) []*Update {
	var updates []*Update
	for e := range from {
		if !in[e] {
			updates = append(updates, &Update{Op: op, Addr: e.addr, Metadata: e.metadata})
		}
	}
	slices.SortFunc(updates, func(a, b *Update) int { return cmp.Compare(a.Addr, b.Addr) })
	return updates
}
