package lookup

import (
	"context"
	"errors"
	"net"
	"strings"
	"time"
)

// SystemTTL is how long an answer of the operating system's resolver counts as
// fresh. It does not say itself.
const SystemTTL = 30 * time.Second

// askSystem asks the operating system's resolver.
func askSystem(ctx context.Context, q Question) (r Result, err error) {
	name := q.Name
	switch q.Type {
	case TypeA:
		r.Addrs, err = net.DefaultResolver.LookupNetIP(ctx, "ip4", name)
	case TypeAAAA:
		r.Addrs, err = net.DefaultResolver.LookupNetIP(ctx, "ip6", name)
	case TypeTXT:
		r.TXTs, err = net.DefaultResolver.LookupTXT(ctx, name)
	case TypeSRV:
		r.SRVs, err = systemSRVs(ctx, name)
	}
	r.TTL = SystemTTL
	var dnsErr *net.DNSError
	switch {
	case errors.As(err, &dnsErr) && dnsErr.IsNotFound:
		return Result{Missing: "the system's resolver: " + dnsErr.Err, TTL: SystemTTL}, nil
	case err != nil:
		return Result{}, lookupError("the system's resolver: " + reason(err).Error())
	case len(r.Addrs)+len(r.TXTs)+len(r.SRVs) == 0:
		r.Missing = "the system's resolver: no such records"
	}
	for i, a := range r.Addrs {
		r.Addrs[i] = a.Unmap()
	}
	return r, nil
}

func systemSRVs(ctx context.Context, name string) ([]SRV, error) {
	_, found, err := net.DefaultResolver.LookupSRV(ctx, "", "", name)
	if err != nil {
		return nil, err
	}
	srvs := make([]SRV, len(found))
	for i, f := range found {
		srvs[i] = SRV{strings.ToLower(f.Target), f.Port, f.Priority, f.Weight}
	}
	return srvs, nil
}
