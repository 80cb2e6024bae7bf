package watch

import (
	"cmp"
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
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
	// publish must be called from Run's goroutine. It waits while the channel
	// is busy with an earlier list: what changes meanwhile is best sent as one.
	//
	// The text of the error is shown to whoever calls RPCs. It says what was
	// attempted and why that did not work, and contains no secret.
	Run(ctx context.Context, publish func(Snapshot)) error
}

// Hastener is a source that asks from time to time, and can ask earlier.
type Hastener interface {
	// ResolveNow is called when the channel asks for it while the source runs.
	// It must not block; how often it leads to anything is the source's affair.
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
	// Endpoints may be in any order. Of several with the same addresses the
	// first one counts. The slice is only read until publish returns, what it
	// points to must never change.
	Endpoints []resolver.Endpoint

	// Detail completes the error that an empty list becomes, e.g. "all 3
	// values are malformed". It may be empty.
	Detail string

	// ServiceConfig goes to the channel with the list. nil means that the source
	// has none. The same config should be the same pointer: another one counts
	// as a change.
	ServiceConfig *serviceconfig.ParseResult

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

	// MinBackoff, MaxBackoff and ResolveNowInterval take the place of the
	// constants of these names where they are not zero.
	MinBackoff, MaxBackoff, ResolveNowInterval time.Duration
}

var _ resolver.Resolver = (*Watcher)(nil)

// Watcher is a running resolver.
type Watcher struct {
	// Set by Start, then read-only.
	src    Source
	cancel context.CancelFunc
	done   chan struct{} // closed when the goroutine is gone
	nudge  chan struct{} // capacity 1: a ResolveNow that nobody has seen yet
	hasten time.Duration // the least time between two runs because of it

	// Owned by the goroutine.
	retry    *backoff.ExponentialBackOff
	ran      bool // whether there was a run before this one
	answered bool // whether the current or last run published anything
	channel  *channel
}

// Start runs src for cc in a new goroutine, until Close.
func Start(cc resolver.ClientConn, src Source, cfg Config) *Watcher {
	ctx, cancel := context.WithCancel(context.Background())
	w := &Watcher{
		src:    src,
		cancel: cancel,
		done:   make(chan struct{}),
		nudge:  make(chan struct{}, 1),
		hasten: cmp.Or(cfg.ResolveNowInterval, ResolveNowInterval),
		retry: &backoff.ExponentialBackOff{
			InitialInterval:     cmp.Or(cfg.MinBackoff, MinBackoff),
			MaxInterval:         cmp.Or(cfg.MaxBackoff, MaxBackoff),
			Multiplier:          2,
			RandomizationFactor: 0.5,
		},
		channel: newChannel(cc, cfg),
	}
	go w.loop(ctx)
	return w
}

// ResolveNow ends the wait for the next run early if the source has failed. A
// source that runs needs no hint, unless it is a [Hastener].
func (w *Watcher) ResolveNow(resolver.ResolveNowOptions) {
	select {
	case w.nudge <- struct{}{}:
	default:
	}
}

// Close stops the source and returns when its goroutine and the watcher's are
// gone. It may be called more than once.
func (w *Watcher) Close() {
	w.cancel()
	<-w.done
}

func (w *Watcher) loop(ctx context.Context) {
	defer close(w.done)
	defer w.closeSource()
	for {
		started := time.Now()
		err := w.follow(ctx)
		if ctx.Err() != nil {
			return
		}
		w.channel.failure(err)
		if !w.pause(ctx, started) {
			return
		}
	}
}

func (w *Watcher) closeSource() {
	if c, ok := w.src.(io.Closer); ok {
		_ = c.Close() // nobody is left who could do anything about an error
	}
}

// follow runs the source once and passes on its answers until it fails.
func (w *Watcher) follow(ctx context.Context) error {
	answers := make(chan Snapshot)
	failed := make(chan error, 1)
	hastener, _ := w.src.(Hastener)
	go func() { failed <- w.runSource(ctx, answers) }()

	early, settled := w.herald(ctx)
	defer settled()
	w.answered = false
	for {
		select {
		case s := <-answers:
			settled()
			w.answered = true
			w.channel.answer(s)
		case <-w.channel.grace.C:
			w.channel.graceOver()
		case <-w.nudge:
			if hastener != nil {
				hastener.ResolveNow()
			}
		case err := <-early:
			if err != nil && !w.answered {
				w.channel.report(err.Error())
			}
		case err := <-failed:
			return err
		}
	}
}

// herald runs the source's Early, if it has one and this is the first run. It
// returns where its result will be, and a function that ends it.
func (w *Watcher) herald(ctx context.Context) (early <-chan error, end func()) {
	h, ok := w.src.(Herald)
	if !ok || w.ran {
		return nil, func() {}
	}
	w.ran = true
	ctx, cancel := context.WithCancel(ctx)
	result := make(chan error, 1)
	var wg sync.WaitGroup
	wg.Go(func() { result <- h.Early(ctx) })
	return result, func() {
		cancel()
		wg.Wait()
	}
}

func (w *Watcher) runSource(ctx context.Context, answers chan<- Snapshot) error {
	err := w.src.Run(ctx, func(s Snapshot) {
		select {
		case answers <- s:
		case <-ctx.Done():
		}
	})
	if err == nil {
		return errEnded
	}
	return err
}

// pause waits until the source may run again. It returns false if ctx is done
// first. started is when the last run began.
func (w *Watcher) pause(ctx context.Context, started time.Time) bool {
	if w.answered && time.Since(started) >= w.retry.MaxInterval {
		w.retry.Reset()
	}
	due := time.Now().Add(w.retry.NextBackOff())
	timer := time.NewTimer(time.Until(due))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-timer.C:
			return true
		case <-w.nudge:
			if early := started.Add(w.hasten); early.Before(due) {
				due = early
				timer.Reset(time.Until(due))
			}
		}
	}
}
