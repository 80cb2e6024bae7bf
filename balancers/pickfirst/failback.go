package pickfirst

import (
	"time"

	"github.com/evenkeel-grpc/evenkeel/scstate"
)

// scheduleFailback starts or stops the timer of the next failback, as the
// connection demands. It is called after every change.
func (b *pickFirst) scheduleFailback() {
	if b.failback == 0 || b.health || !b.leaf.Later() {
		b.stopFailback()
		return
	}
	if b.timer != nil {
		return
	}
	var t *time.Timer
	t = time.AfterFunc(b.failback, func() {
		scstate.Post(b.cc, func() {
			if b.timer != t { // stopped while waiting for its turn
				return
			}
			b.timer = nil
			b.leaf.Probe()
			b.scheduleFailback()
		})
	})
	b.timer = t
}

func (b *pickFirst) stopFailback() {
	if b.timer != nil {
		b.timer.Stop()
		b.timer = nil
	}
}
