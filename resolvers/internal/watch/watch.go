package watch

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc/attributes"
	"google.golang.org/grpc/grpclog"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/serviceconfig"
)

const (
	// DefaultGrace is how long the last good list outlives an empty answer.
	DefaultGrace = 30 * time.Second

	// MinBackoff is the wait after a first failure, before jitter, unless
	// configured.
	MinBackoff = 100 * time.Millisecond

	// MaxBackoff is the longest wait between two runs, before jitter, unless
	// configured.
	MaxBackoff = 5 * time.Second

	// ResolveNowInterval is the least time between the start of a run and the
	// start of another one that ResolveNow has hastened, unless configured.
	ResolveNowInterval = time.Second
)

// errEnded stands in for the error that a source owes.
var errEnded = errors.New("the source ended without an error")

// Source is a place that knows the endpoints of one target. One that is also an
// io.Closer is closed once, after its last run.
type Source interface {
	// Run reports what it finds through publish, first a list and then every
	// change of it, until it fails or ctx is done; it returns promptly in
	// either case, leaving no goroutine behind. It never runs twice at once.
	//
	// publish must be called from Run's goroutine. It never waits for a channel:
	// one that is busy with an earlier list gets the latest after it. A list that
	// changes often is best published at intervals, because each costs every
	// channel time.
	//
	// The text of the error is shown to whoever calls RPCs. It says what was
	// attempted and why that did not work, and contains no secret.
	Run(ctx context.Context, publish func(Snapshot)) error
}

// Hastener is a source that asks from time to time, and can ask earlier.
type Hastener interface {
	// ResolveNow is called when a channel asks for it while the source runs, from
	// any goroutine. It must not block; how often it leads to anything is the
	// source's affair.
	ResolveNow()
}

// Herald is a source that notices early that its answer may never come.
type Herald interface {
	// Early runs at the same time as the first Run. The error that it returns
	// goes to the channel if there is neither an answer nor a failure by then;
	// nil does nothing. It returns promptly once ctx is done, which is when
	// there is one.
	Early(ctx context.Context) error
}

// Snapshot is one whole answer of a source.
type Snapshot struct {
	// Endpoints may be in any order; sorted by address is cheapest. Of several
	// with the same addresses the first one counts. Neither the slice nor what it
	// points to may ever change again: channels go on reading it. Balancer
	// attributes belong to the endpoint, not to its addresses: see [Addresses].
	Endpoints []resolver.Endpoint

	// Detail completes the error that an empty list becomes, e.g. "all 3
	// values are malformed". It may be empty.
	Detail string

	// ServiceConfig goes to the channel with the list. nil means that the source
	// has none. The same config should be the same pointer: another one counts
	// as a change.
	ServiceConfig *serviceconfig.ParseResult

	// ServiceConfigJSON is the text of a service config that each channel parses
	// for itself, if there is no ServiceConfig. "" means that the source has none.
	// One that is malformed is logged; see Config.KeepServiceConfig.
	ServiceConfigJSON string

	// Attributes go to the channel with the list, nil if there are none. A list
	// with attributes does not count as empty: the policy may find there what
	// it needs.
	Attributes *attributes.Attributes
}

// Config tells watchers of one source from those of another.
type Config struct {
	// Name opens the text of every error: the package and what is watched.
	Name string

	// Grace is how long the last good list outlives an empty answer. Zero
	// means not at all.
	Grace time.Duration

	// Logger receives what only an operator needs to know.
	Logger grpclog.LoggerV2

	// Rank orders the lists, lowest first. It is called once for each endpoint of
	// an answer and must depend on the endpoint only. Of those with the same rank
	// the one with the lesser address comes first. nil means that the addresses
	// decide alone.
	Rank func(resolver.Endpoint) float64

	// KeepServiceConfig keeps a service config that is malformed from the channel,
	// which goes on with the last good one, or without. Otherwise the channel gets
	// it, and fails its RPCs if it never had a good one.
	KeepServiceConfig bool

	// MinBackoff, MaxBackoff and ResolveNowInterval take the place of the
	// constants of these names where they are not zero.
	MinBackoff, MaxBackoff, ResolveNowInterval time.Duration
}

// Start runs src for cc alone, in new goroutines, until Close.
func Start(cc resolver.ClientConn, src Source, cfg Config) *Watcher {
	var hubs Hubs[struct{}]
	return hubs.Start(cc, struct{}{}, func() Source { return src }, cfg)
}
