// Package register runs what every registrar of this project needs: a goroutine
// that keeps one entry for ever, and a book of what is wanted of the entry and what
// is known of it.
//
// # Use
//
// A package's Register checks its registration, opens a [Book] with [Open] and
// starts a [Keeper] of its own, which knows how its source writes, watches and
// removes an entry. What a Registrar is asked, it asks the book.
//
// # Guarantees
//
// What is wanted is written in the end, however often it fails before. Nobody who
// waits for the book waits longer than for his own context or the end of the keeper.
// The keeper's last status is [Stopped].
//
// # Failure
//
// Attempts come [MinRepair] apart, doubled each time up to [MaxRepair], plus or
// minus half of it at random; one that lasted MaxRepair starts over with MinRepair.
// A first call of Drain cuts the wait short, an Update does not.
//
// # Concurrency
//
// One goroutine calls the keeper and the function that is told of changes, which
// holds no lock then.
package register
