package consul

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/evenkeel-grpc/evenkeel/resolvers/internal/watch"
)

// run is one run of a source. Its goroutine owns all but events and running.
type run struct {
	source  *source
	client  *client
	publish func(watch.Snapshot)
	events  chan event
	running sync.WaitGroup

	views      []*view         // of the sites that are followed, the first ones
	ended      []chan struct{} // for each site, closed when it is not followed any more
	config     string
	configured bool // whether config is known, or cannot be
}

// event is what another goroutine of a run has to tell.
type event struct {
	view     *view          // of the site that tells; nil if it is the service config
	snapshot watch.Snapshot // what the site found, if err is nil
	config   string         // the service config, if err is nil
	err      error
}

// view is what a run knows of a site.
type view struct {
	dc       string
	cancel   context.CancelFunc
	heard    bool // of the site, in this run
	snapshot watch.Snapshot
	err      error     // the last one, if nothing was found since
	since    time.Time // when it began to fail
}

// usable tells whether the list of one site among several may be used: if the
// site cannot be asked any more it keeps that for a while.
func (v *view) usable() bool {
	return len(v.snapshot.Endpoints) > 0 && (v.err == nil || time.Since(v.since) < watch.DefaultGrace)
}

func newRun(s *source, c *client, publish func(watch.Snapshot)) *run {
	return &run{
		source:     s,
		client:     c,
		publish:    publish,
		events:     make(chan event),
		ended:      make([]chan struct{}, len(s.sites)),
		configured: s.query.configKey == "",
	}
}

// do returns when ctx is done or no site can be asked, with the error, and when
// all its goroutines are gone.
func (r *run) do(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer r.running.Wait()
	defer cancel()
	if !r.configured {
		r.running.Go(func() { r.source.config.follow(ctx, r.client, r.send) })
	}
	r.start(ctx)
	expired, stop := r.expiry()
	defer stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e := <-r.events:
			r.hear(e)
		case <-expired:
		}
		if err := r.decide(ctx); err != nil {
			return err
		}
	}
}

// expiry returns a channel that tells when to look for sites that have failed
// for too long, if there is another one.
func (r *run) expiry() (expired <-chan time.Time, stop func()) {
	if !r.several() {
		return nil, func() {}
	}
	t := time.NewTicker(time.Second)
	return t.C, t.Stop
}

func (r *run) several() bool { return len(r.source.sites) > 1 }

// start begins to follow the next site.
func (r *run) start(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	i := len(r.views)
	site := r.source.sites[i]
	v := &view{dc: site.dc, cancel: cancel}
	r.views = append(r.views, v)

	before, ended := r.ended[i], make(chan struct{})
	r.ended[i] = ended
	r.running.Go(func() {
		defer close(ended)
		if before != nil {
			<-before // it was cancelled
		}
		r.follow(ctx, site, v)
	})
}

// follow follows a site until ctx is done. A single site is not asked again
// here: its failure is the run's.
func (r *run) follow(ctx context.Context, site *site, v *view) {
	for wait := watch.MinBackoff; ; wait = min(2*wait, watch.MaxBackoff) {
		err := site.follow(ctx, r.client, func(s watch.Snapshot) {
			wait = watch.MinBackoff
			r.send(ctx, event{view: v, snapshot: s})
		})
		r.send(ctx, event{view: v, err: err})
		if !r.several() || sleep(ctx, wait/2+rand.N(wait)) != nil {
			return
		}
	}
}

func (r *run) send(ctx context.Context, e event) {
	select {
	case r.events <- e:
	case <-ctx.Done():
	}
}

func (r *run) hear(e event) {
	v := e.view
	switch {
	case v == nil:
		r.configured = true
		if e.err == nil {
			r.config = e.config
		}
		return
	case !slices.Contains(r.views, v):
		return // stopped meanwhile
	}
	v.heard = true
	if e.err == nil {
		v.snapshot, v.err = e.snapshot, nil
		return
	}
	if v.err == nil {
		v.since = time.Now()
		r.log(e)
	}
	v.err = e.err
}

// log tells of a failure that the channel may not hear of.
func (r *run) log(e event) {
	if r.several() {
		logger.Warningf("service %q in datacenter %q: %v", r.source.query.name, e.view.dc, e.err)
	}
}

// decide publishes the list of the first site that has one, or starts the next
// site. It returns an error if there is no list and a site failed.
func (r *run) decide(ctx context.Context) error {
	if !r.several() {
		return r.single(r.views[0])
	}
	for i, v := range r.views {
		switch {
		case !v.heard:
			return nil // it may be the one
		case v.usable():
			r.stopAfter(i)
			r.emit(v.snapshot)
			return nil
		}
	}
	if len(r.views) < len(r.source.sites) {
		r.start(ctx)
		return nil
	}
	return r.nothing()
}

func (r *run) single(v *view) error {
	if v.heard && v.err == nil {
		r.emit(v.snapshot)
	}
	return v.err
}

// stopAfter stops following the sites that are not needed.
func (r *run) stopAfter(i int) {
	for _, v := range r.views[i+1:] {
		v.cancel()
	}
	r.views = r.views[:i+1]
}

func (r *run) emit(s watch.Snapshot) {
	if r.configured {
		s.ServiceConfigJSON = r.config
		r.publish(s)
	}
}

// nothing is for when none of several sites has a list.
func (r *run) nothing() error {
	var texts []string
	var failed []error
	for _, v := range r.views {
		text := v.snapshot.Detail
		if v.err != nil {
			text = v.err.Error()
			failed = append(failed, v.err)
		}
		texts = append(texts, fmt.Sprintf("in %s: %s", v.dc, text))
	}
	text := strings.Join(texts, "; ")
	if len(failed) > 0 {
		return failures{text, failed}
	}
	r.emit(watch.Snapshot{Detail: text})
	return nil
}

// failures is what several sites have to say, errors among it.
type failures struct {
	text string
	errs []error
}

func (f failures) Error() string { return f.text }

func (f failures) Unwrap() []error { return f.errs }
