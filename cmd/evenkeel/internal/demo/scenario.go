package demo

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// settle is how long after a change the shares are not judged: the time that the
// channel has to follow it.
const settle = 200 * time.Millisecond

// step is one change, at a point of the demo's duration. The last interval has
// to be long enough after the crashed server's lease has expired.
type step struct {
	at float64 // 0 to 1
	do func(*scenario, context.Context) error
}

var steps = []step{
	{0.15, (*scenario).add},
	{0.27, (*scenario).add},
	{0.40, (*scenario).drain},
	{0.52, (*scenario).crash},
}

// scenario is a run of the demo: who is there, and what was measured.
type scenario struct {
	// Set by Run, then read-only.
	cfg     Config
	cluster *cluster
	tally   *tally
	view    view
	began   time.Time

	// Owned by the goroutine of play.
	live   []*backend
	gone   []*backend
	events map[string]change // the last one of each backend, by address
	report Report
}

// change is what last happened to a backend.
type change struct {
	what string // started, added, draining, drained, crashed, expired
	at   time.Duration
}

// start brings up the first servers.
func (s *scenario) start(ctx context.Context) error {
	for range s.cfg.Backends {
		if _, err := s.launch(ctx); err != nil {
			return err
		}
	}
	return nil
}

// launch starts and registers one server.
func (s *scenario) launch(ctx context.Context) (began time.Time, err error) {
	b, err := startBackend(ctx)
	if err != nil {
		return began, err
	}
	s.live = append(s.live, b)
	s.events[b.addr] = change{what: "started"}
	return b.register(ctx, s.cluster.client)
}

// play makes the changes at their times.
func (s *scenario) play(ctx context.Context) error {
	for _, b := range s.live {
		if err := s.await(ctx, b); err != nil {
			return err
		}
	}
	s.began = time.Now()
	for _, st := range steps {
		if err := s.watchUntil(ctx, st.at); err != nil {
			return err
		}
		if err := st.do(s, ctx); err != nil {
			return err
		}
	}
	return s.watchUntil(ctx, 1)
}

// watchUntil shows what happens up to a point of the duration, and judges the
// shares since the last change.
func (s *scenario) watchUntil(ctx context.Context, at float64) error {
	end := s.began.Add(time.Duration(at * float64(s.cfg.Duration)))
	if err := sleep(ctx, settle); err != nil {
		return err
	}
	before := s.tally.counts()
	for more := true; more; more = time.Now().Before(end) {
		if err := sleep(ctx, min(time.Until(end), s.view.interval())); err != nil {
			return err
		}
		s.view.show(s.snapshot())
	}
	s.judge(before)
	return nil
}

// judge compares the shares of the live backends since an earlier count.
func (s *scenario) judge(before map[string]int) {
	var addrs []string
	for _, b := range s.live {
		addrs = append(addrs, b.addr)
	}
	off := deviation(before, s.tally.counts(), addrs)
	s.report.WorstShare = max(s.report.WorstShare, off)
}

func (s *scenario) add(ctx context.Context) error {
	began, err := s.launch(ctx)
	if err != nil {
		return err
	}
	b := s.live[len(s.live)-1]
	if err := s.await(ctx, b); err != nil {
		return err
	}
	took := since(began, s.tally.of(b.addr).first)
	s.report.Converge.Add = max(s.report.Converge.Add, took)
	s.event(b, "added", fmt.Sprintf("first RPC %.1f ms after the registry change", took))
	return nil
}

func (s *scenario) drain(ctx context.Context) error {
	b := s.leave(0)
	s.event(b, "draining", "taken out of the registry")
	var began time.Time
	err := s.during(func() (err error) {
		began, err = b.drain(ctx, s.cluster.client)
		return err
	})
	if err != nil {
		return err
	}
	s.report.Converge.Drain = since(began, s.tally.of(b.addr).last)
	s.event(b, "drained", lastRPC(s.report.Converge.Drain, "the registry change"))
	return nil
}

func (s *scenario) crash(ctx context.Context) error {
	b := s.leave(0)
	s.event(b, "crashed", "connections break, its lease lives on")
	// The shares are judged also while the registry still names the server.
	counts := make(chan map[string]int, 1)
	time.AfterFunc(settle, func() { counts <- s.tally.counts() })
	var expired time.Time
	err := s.during(func() (err error) {
		expired, err = b.crash(ctx, s.cluster.client)
		return err
	})
	if err != nil {
		return err
	}
	s.judge(<-counts)
	s.report.Converge.Crash = since(expired, s.tally.of(b.addr).last)
	s.event(b, "expired", fmt.Sprintf("last RPC %.0f ms before its lease did", expired.Sub(s.tally.of(b.addr).last).Seconds()*1000))
	return nil
}

// during goes on showing what happens until work, which must not touch the
// scenario, is done.
func (s *scenario) during(work func() error) error {
	done := make(chan error, 1)
	go func() { done <- work() }()
	tick := time.NewTicker(s.view.interval())
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-tick.C:
			s.view.show(s.snapshot())
		}
	}
}

// leave moves a backend from the live ones to those that are gone.
func (s *scenario) leave(i int) *backend {
	b := s.live[i]
	s.live = slices.Delete(s.live, i, i+1)
	s.gone = append(s.gone, b)
	return b
}

// await waits for a backend's first RPC.
func (s *scenario) await(ctx context.Context, b *backend) error {
	limit := time.After(10 * time.Second)
	for s.tally.of(b.addr).count == 0 {
		select {
		case <-limit:
			err := fmt.Errorf("no RPC reached %s within 10 s: want a policy that uses every backend, not %q", b.addr, s.cfg.Policy)
			_, _, last := s.tally.totals()
			return errors.Join(err, last)
		default:
		}
		if err := sleep(ctx, time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

func (s *scenario) event(b *backend, what, detail string) {
	c := change{what, time.Since(s.began)}
	s.events[b.addr] = c
	s.view.event(c.at, b.addr, c.what, detail)
}

// close ends every server.
func (s *scenario) close() {
	for _, b := range slices.Concat(s.live, s.gone) {
		b.close()
	}
}

// since returns the milliseconds from a registry change to an RPC, rounded to
// microseconds; 0 if the RPC was before.
func since(change, rpc time.Time) float64 {
	return max(0, math.Round(rpc.Sub(change).Seconds()*1e6)/1e3)
}
