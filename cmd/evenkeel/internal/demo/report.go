package demo

import (
	"fmt"
	"io"
	"math"
	"slices"
	"text/tabwriter"
	"time"
)

// Report is what was measured. Its JSON form is the last line of --json.
type Report struct {
	Target   string         `json:"target"`
	Policy   string         `json:"policy"`
	RPCs     int            `json:"rpcs"`
	Errors   int            `json:"errors"`
	Backends []BackendCount `json:"backends"`
	Converge Converge       `json:"converge_ms"`

	// WorstShare is how far, in percent of the mean share, any live backend was
	// from it between two changes.
	WorstShare float64       `json:"-"`
	Took       time.Duration `json:"-"`
}

// BackendCount is the RPCs that one backend answered.
type BackendCount struct {
	Addr string `json:"addr"`
	RPCs int    `json:"rpcs"`
}

// Converge is how long the channel took to follow, in milliseconds, from the
// registry change to the first RPC on the new backend (the slower of the two
// added) or to the last RPC on the one that is gone. For a crash the registry
// change is the end of the lease: 0 says that no RPC went there any more,
// because the channel drops a broken connection by itself.
type Converge struct {
	Add   float64 `json:"add"`
	Drain float64 `json:"drain"`
	Crash float64 `json:"crash"`
}

// snapshot is what a view shows.
type snapshot struct {
	elapsed time.Duration
	total   time.Duration
	rpcs    int
	errors  int
	rows    []row
}

// row is one backend in a view.
type row struct {
	addr  string
	state string // up, draining, crashed (and still registered), gone
	rpcs  int
	share float64 // percent of all RPCs
	last  string  // last change
}

func (s *scenario) snapshot() snapshot {
	counts := s.tally.counts()
	snap := snapshot{elapsed: time.Since(s.began), total: s.cfg.Duration}
	snap.rpcs, snap.errors, _ = s.tally.totals()
	for _, b := range slices.Concat(s.live, s.gone) {
		c := s.events[b.addr]
		r := row{addr: b.addr, state: c.state(), rpcs: counts[b.addr], last: c.String()}
		if snap.rpcs > 0 {
			r.share = float64(r.rpcs) / float64(snap.rpcs) * 100
		}
		snap.rows = append(snap.rows, r)
	}
	return snap
}

// state returns the state that a change led to.
func (c change) state() string {
	switch c.what {
	case "started", "added":
		return "up"
	case "drained", "expired":
		return "gone"
	default:
		return c.what
	}
}

// String returns the change and, if it was one during the run, its time.
func (c change) String() string {
	if c.at == 0 {
		return c.what
	}
	return fmt.Sprintf("%s %.1fs", c.what, c.at.Seconds())
}

// lastRPC says how long after a change the last RPC ended.
func lastRPC(ms float64, after string) string {
	if ms == 0 {
		return "no RPC after " + after
	}
	return fmt.Sprintf("last RPC %.1f ms after %s", ms, after)
}

// finish fills in the report from the tally.
func (s *scenario) finish(target string) {
	r := &s.report
	r.Target, r.Policy, r.Took = target, s.cfg.Policy, time.Since(s.began)
	r.RPCs, r.Errors, _ = s.tally.totals()
	counts := s.tally.counts()
	for _, addr := range sortedAddrs(counts) {
		r.Backends = append(r.Backends, BackendCount{addr, counts[addr]})
	}
}

// summarise writes the report for people.
func (r Report) summarise(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, line := range [][2]string{
		{"target", r.Target},
		{"policy", r.Policy},
		{"RPCs", fmt.Sprintf("%d in %.1f s, %d failed", r.RPCs, r.Took.Seconds(), r.Errors)},
		{"server added", fmt.Sprintf("first RPC %.1f ms after the registry change", r.Converge.Add)},
		{"server drained", lastRPC(r.Converge.Drain, "the registry change")},
		{"server crashed", lastRPC(r.Converge.Crash, "its lease expired")},
		{"uneven by", fmt.Sprintf("%.2f %% of the mean share at most, between changes", math.Round(r.WorstShare*100)/100)},
	} {
		if _, err := fmt.Fprintf(t, "%s\t%s\n", line[0], line[1]); err != nil {
			return err
		}
	}
	return t.Flush()
}
