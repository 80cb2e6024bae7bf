// Package watch runs what every resolver of this project needs: a goroutine that
// runs the source of endpoints for ever, and one for each channel that owns what
// the channel knows and alone speaks to it.
//
// # Use
//
// A resolver's Build parses its target, makes a [Source] and returns what
// [Start] returns: Start does no I/O, calls no method of the source itself and
// returns at once.
//
// # Guarantees
//
// The watcher runs the source for ever and tells the channel what it answers:
//   - lists are whole, sorted and free of duplicates, and the channel hears of a
//     list only if it, its service config or its attributes differ from the last;
//   - a list is also published as addresses, as [Addresses] returns them, with
//     attributes that are the same pointers as in the last list where they are
//     equal: a change of one endpoint leaves the addresses of others as they were,
//     also to policies that compare with ==;
//   - while the source fails, the last good list stays;
//   - an empty answer that follows a good list is held back for the grace
//     period, [DefaultGrace] unless configured, because a registry that has just
//     lost its data is far more common than a service without any backend. The
//     period starts anew when the source fails in between. After it the channel
//     gets an empty list and an error that says so;
//   - an empty answer with no good list before it is an error at once, so that
//     RPCs fail with the cause instead of hanging until their deadline.
//
// # Failure
//
// The first failure of a source is reported to the channel at once, and then
// every change of its text. The source runs again after [MinBackoff], doubled
// each time up to [MaxBackoff], plus or minus half of it at random; a run that
// answered and lasted MaxBackoff starts over with MinBackoff. ResolveNow cuts
// the wait short, but two runs never start within [ResolveNowInterval] of each
// other because of it. [Config] can change the three. A source that runs hears
// of ResolveNow if it is a [Hastener]. One that may be long in answering can tell
// early that it has no sign of an answer, as a [Herald].
//
// The first answer after a failure is passed on even if it is the list that the
// channel already has: nothing else makes a policy forget a resolver error.
//
// # Sharing
//
// [Hubs] runs one source for all channels that ask for the same key. A channel
// that comes later hears of the last answer, and of the failure if there is one,
// at once. Each channel has a goroutine and a grace period of its own: one that
// is slow misses answers that are out of date by then, and delays no other. The
// last Close stops the source.
//
// # Concurrency
//
// ResolveNow and Close may be called from any goroutine. A channel is called from
// its watcher's goroutine only, and no more once Close has returned. The source
// runs in a goroutine of its own.
package watch
