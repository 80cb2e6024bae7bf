// Package lookup asks name servers, and shares what they answer.
//
// # Use
//
// A resolver opens a [Session] with the servers to ask and asks it its
// questions:
//
//	s := lookup.Shared.Open(servers)
//	defer s.Close()
//	r := s.Ask(ctx, lookup.Question{Name: "payments.example.com.", Type: lookup.TypeA}, usable)
//
// # Guarantees
//
// Sessions of one cache with the same servers share their results: a question is
// under way once, whoever asks, and a [Result] is kept, the ones that are
// failures too, for whoever finds it usable. The caller decides that by the
// result's age and content, so a result lives as long as its caller says.
//
// Nothing is resident. A result is kept while a session that asked for it is
// open and has not forgotten it; a look-up runs while somebody waits for it, and
// whoever stops waiting last waits for its end; connections are closed at the
// latest with the last session of their servers.
//
// An answer counts only if it has the id and the question that were sent, and
// is whole: one that does not fit into a datagram is fetched over TCP, and one
// that does not fit there is a failure, because a part of a list of endpoints
// looks like a scale-down. Chains of aliases are followed, also over several
// answers; the TTL is the least of the chain.
//
// # Failure
//
// A server that cannot be reached, does not answer in time, or answers with
// anything but success and NXDOMAIN is passed over for the next. The error names
// each server and what was wrong with it, in a text that is the same each time.
//
// # Concurrency
//
// A [Cache] and its sessions may be used from any goroutine.
package lookup
