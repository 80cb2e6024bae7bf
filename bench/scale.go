package main

import "time"

// scale is how much is measured.
type scale struct {
	pairs     int           // of most stub experiments
	spell     time.Duration // of repeating a short operation
	bringUp   []int
	grpcOften int   // above this size, grpc-go is brought up once
	grpcNever int   // above this, not at all: it would take hours
	large     int   // endpoints for one operation among many
	pickers   []int // endpoints of a picker
	picks     int   // calls in one run, on each core

	channels     []int // backends
	channelPairs int
	channelSpell time.Duration
	refusing     int // backends, and RPCs that wait for one
	blocked      time.Duration
	backends     int // to connect to; each costs two files
}

var fullScale = scale{
	pairs:     5,
	spell:     100 * time.Millisecond,
	bringUp:   []int{1000, 2000, 10_000, 100_000},
	grpcOften: 2000,
	grpcNever: 10_000,
	large:     10_000,
	pickers:   []int{100, 10_000},
	picks:     3_000_000,

	channels:     []int{1, 100, 1000},
	channelPairs: 101, // short and many: what disturbs one disturbs both
	channelSpell: 40 * time.Millisecond,
	refusing:     1000,
	blocked:      3 * time.Second,
	backends:     4000,
}

var quickScale = scale{
	pairs:     3,
	spell:     time.Millisecond,
	bringUp:   []int{50, 100, 400},
	grpcOften: 50,
	grpcNever: 100,
	large:     100,
	pickers:   []int{10},
	picks:     10_000,

	channels:     []int{2, 10},
	channelPairs: 3,
	channelSpell: 10 * time.Millisecond,
	refusing:     20,
	blocked:      300 * time.Millisecond,
	backends:     50,
}
