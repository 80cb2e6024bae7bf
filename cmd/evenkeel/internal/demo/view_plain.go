package demo

import (
	"fmt"
	"io"
	"time"
)

// view shows progress. It is called from one goroutine.
type view interface {
	// interval is how often show is to be called.
	interval() time.Duration
	// show replaces what is shown.
	show(snapshot)
	// event adds a line about one backend.
	event(at time.Duration, addr, state, detail string)
	// close leaves the screen to the summary.
	close()
}

// noView is for --json.
type noView struct{}

func (noView) interval() time.Duration                     { return time.Second }
func (noView) show(snapshot)                               {}
func (noView) event(time.Duration, string, string, string) {}
func (noView) close()                                      {}

// plainView writes lines, for a file or a pipe.
type plainView struct {
	out io.Writer
	end func(error) // ends the demo
}

func (*plainView) interval() time.Duration { return time.Second }

func (v *plainView) show(s snapshot) {
	up := 0
	for _, r := range s.rows {
		if r.state == "up" {
			up++
		}
	}
	v.printf("%5.1fs  %d servers up, %d RPCs, %d failed\n", s.elapsed.Seconds(), up, s.rpcs, s.errors)
}

func (v *plainView) event(at time.Duration, addr, state, detail string) {
	v.printf("%5.1fs  %s %s: %s\n", at.Seconds(), addr, state, detail)
}

func (*plainView) close() {}

// printf ends the demo if nobody can read it.
func (v *plainView) printf(format string, args ...any) {
	if _, err := fmt.Fprintf(v.out, format, args...); err != nil {
		v.end(err)
	}
}
