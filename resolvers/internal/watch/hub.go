package watch

import (
	"cmp"
	"context"
	"io"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"google.golang.org/grpc/resolver"
)

// hub runs one source for ever and tells all its watchers what it answers.
type hub struct {
	// Set by newHub, then read-only.
	src    Source
	rank   func(resolver.Endpoint) float64
	hasten time.Duration // the least time between two runs because of ResolveNow
	cancel context.CancelFunc
	done   chan struct{} // closed when the goroutine is gone
	nudge  chan struct{} // capacity 1: a ResolveNow that nobody has seen yet

	// Owned by the goroutine.
	retry    *backoff.ExponentialBackOff
	answered bool               // whether the current or last run published anything
	ran      bool               // whether there was a run before this one
	hush     context.CancelFunc // ends the source's Early

	listed []resolver.Endpoint // the last list that was not empty, by address

	mu       sync.Mutex // guards the fields below
	running  bool       // whether the source runs, as opposed to waiting to
	settled  bool       // whether there was an answer or a failure
	latest   news       // what a new watcher begins with
	watchers map[*Watcher]struct{}
}

// newHub starts src in a new goroutine.
func newHub(src Source, cfg Config) *hub {
	ctx, cancel := context.WithCancel(context.Background())
	h := &hub{
		src:    src,
		rank:   cfg.Rank,
		hasten: cmp.Or(cfg.ResolveNowInterval, ResolveNowInterval),
		cancel: cancel,
		done:   make(chan struct{}),
		nudge:  make(chan struct{}, 1),
		retry: &backoff.ExponentialBackOff{
			InitialInterval:     cmp.Or(cfg.MinBackoff, MinBackoff),
			MaxInterval:         cmp.Or(cfg.MaxBackoff, MaxBackoff),
			Multiplier:          2,
			RandomizationFactor: 0.5,
		},
		hush:     func() {},
		watchers: make(map[*Watcher]struct{}),
	}
	go h.loop(ctx)
	return h
}

// stop ends the source and waits for it.
func (h *hub) stop() {
	h.cancel()
	<-h.done
}

// add makes w hear of everything that h knows and will know.
func (h *hub) add(w *Watcher) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.watchers[w] = struct{}{}
	if latest := h.latest; !latest.empty() {
		w.post(func(n *news) { *n = latest })
	}
}

func (h *hub) remove(w *Watcher) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.watchers, w)
}

// answer is what the source publishes through.
func (h *hub) answer(s Snapshot) {
	h.answered = true
	h.hush()
	a := newAnswer(s, h.list(s.Endpoints))
	h.mu.Lock()
	defer h.mu.Unlock()
	h.settled = true
	h.latest = news{answer: a}
	for w := range h.watchers {
		w.post(func(n *news) { n.answered(a) })
	}
}

// list makes what the source found the list that channels get.
func (h *hub) list(found []resolver.Endpoint) []resolver.Endpoint {
	fresh := tidy(found)
	list := steady(fresh, h.listed)
	if len(list) > 0 {
		h.listed = list
	}
	return ranked(list, fresh, h.rank)
}

func (h *hub) failure(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failureLocked(err)
}

func (h *hub) failureLocked(err error) {
	h.settled = true
	h.latest.failed(err)
	for w := range h.watchers {
		w.post(func(n *news) { n.failed(err) })
	}
}

// resolveNow hastens the next run, or lets a source that runs know.
func (h *hub) resolveNow() {
	h.mu.Lock()
	running := h.running
	if !running {
		select { // never waits
		case h.nudge <- struct{}{}:
		default:
		}
	}
	h.mu.Unlock()
	if s, ok := h.src.(Hastener); ok && running {
		s.ResolveNow()
	}
}

func (h *hub) loop(ctx context.Context) {
	defer close(h.done)
	defer h.closeSource()
	for {
		started := time.Now()
		err := h.run(ctx)
		if ctx.Err() != nil {
			return
		}
		h.failure(err)
		if !h.pause(ctx, started) {
			return
		}
	}
}

func (h *hub) closeSource() {
	if c, ok := h.src.(io.Closer); ok {
		_ = c.Close() // nobody is left who could do anything about an error
	}
}

// run runs the source once.
func (h *hub) run(ctx context.Context) error {
	h.setRunning(true)
	defer h.setRunning(false)
	h.answered = false
	end := h.herald(ctx)
	defer end()
	if err := h.src.Run(ctx, h.answer); err != nil {
		return err
	}
	return errEnded
}

// herald runs the source's Early, if it has one and this is the first run. It
// returns a function that ends it.
func (h *hub) herald(ctx context.Context) (end func()) {
	s, ok := h.src.(Herald)
	if !ok || h.ran {
		return func() {}
	}
	h.ran = true
	ctx, cancel := context.WithCancel(ctx)
	h.hush = cancel
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.Early(ctx); err != nil && ctx.Err() == nil {
			h.early(err)
		}
	})
	return func() {
		cancel()
		wg.Wait()
	}
}

// early is a failure that is no news any more once there is an answer.
func (h *hub) early(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.settled {
		h.failureLocked(err)
	}
}

// setRunning also forgets a ResolveNow that has been heard.
func (h *hub) setRunning(running bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.running = running
	select {
	case <-h.nudge:
	default:
	}
}

// pause waits until the source may run again. It returns false if ctx is done
// first. started is when the last run began.
func (h *hub) pause(ctx context.Context, started time.Time) bool {
	if h.answered && time.Since(started) >= h.retry.MaxInterval {
		h.retry.Reset()
	}
	due := time.Now().Add(h.retry.NextBackOff())
	timer := time.NewTimer(time.Until(due))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-timer.C:
			return true
		case <-h.nudge:
			if early := started.Add(h.hasten); early.Before(due) {
				due = early
				timer.Reset(time.Until(due))
			}
		}
	}
}
