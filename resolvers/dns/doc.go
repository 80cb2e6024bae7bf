// Package dns is a resolver that follows the records of a name in DNS. It
// replaces grpc-go's.
//
// # Use
//
//	import _ "github.com/evenkeel-grpc/evenkeel/resolvers/dns"
//
// and dial what grpc-go's own resolver takes:
//
//	dns:///payments.example.com:8080
//	dns://10.0.0.53/payments.example.com
//
// The second asks that name server; several are joined by commas, and :53 is the
// default port. Parameters follow a question mark:
//
//	refresh=ttl    look again when the TTL is over (the default)
//	refresh=30s    look again every 30 s
//	refresh=off    look again only when a connection breaks, as grpc-go does
//	min=5s max=5m  bounds of the TTL
//	grace=5m       how long the last good list outlives NXDOMAIN or NODATA
//	srv=1          look for SRV records; also for names like _grpc._tcp.example.com
//	servername=target  the SRV target's name is the TLS server name
//	group=host     all addresses of a name are one endpoint
//	wait=85ms      how long RPCs wait at the start for a sign of life of a name server
//	tls=dns.example.com  ask over TLS the name server with this certificate
//
// # Guarantees
//
// All that grpc-go's resolver does: A and AAAA records, addresses answered
// without a look-up, service configs in TXT records (gRFC A2), grpclb's SRV
// records if that policy is linked in, /etc/hosts, resolv.conf.
//
// A look-up is due when the TTL of a record is over, within the bounds and plus or
// minus a tenth. Channels share their look-ups: a name server hears one question
// for each TTL, however many channels have the name. A list that is not different
// is not published. Lists are in an order that is random, but stays the same for
// one channel: a fleet of pick_first clients spreads over the addresses. IPv6 comes
// first if this host has a route there.
//
// # Failure
//
// A name server that cannot be reached, or answers with anything but success and
// NXDOMAIN, costs nothing but the news: the channel keeps its list and hears why.
// NXDOMAIN and NODATA take the list away after the grace period. Before there is
// a list, RPCs fail with the cause at once; and if no name server shows a sign of
// life, after 85 ms.
//
// # Concurrency
//
// The builder and what it builds may be used from any goroutine.
// [SetResolvingTimeout] and [SetMinResolutionInterval] must be called before
// the first channel is made.
package dns
