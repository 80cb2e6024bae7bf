package etcd

import "time"

// A channel gets at most 20 lists in any second: paceBurst at once after a quiet
// time, and then one each paceInterval.
const (
	paceBurst    = 10
	paceInterval = 100 * time.Millisecond
)

// pace says when to publish what changes. The zero value is ready for use.
type pace struct {
	full time.Time        // when all of paceBurst will be allowed again
	due  <-chan time.Time // fires when there is something to publish that had to wait
	late bool             // whether there is something to publish
}

// changed notes that there is something to publish. It returns true if that may
// be done now; otherwise due fires when it may.
func (p *pace) changed(now time.Time) bool {
	p.late = true
	wait := p.full.Add(-(paceBurst - 1) * paceInterval).Sub(now)
	if wait <= 0 {
		return true
	}
	if p.due == nil {
		p.due = time.After(wait)
	}
	return false
}

// sent notes that everything has been published.
func (p *pace) sent(now time.Time) {
	if p.full.Before(now) {
		p.full = now
	}
	*p = pace{full: p.full.Add(paceInterval)}
}
