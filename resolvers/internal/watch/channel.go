package watch

import (
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/serviceconfig"
)

// channel decides what a gRPC channel hears of the answers and failures of a
// source. It belongs to the watcher's goroutine.
type channel struct {
	// Set by newChannel, then read-only.
	cc    resolver.ClientConn
	cfg   Config
	grace *time.Timer // runs while an empty answer is held back

	last     resolver.State // what the channel goes by
	reported string         // the error it was last told, "" since the last list
	holding  bool           // whether the grace timer runs
	detail   string         // that of the answer held back

	parsedJSON string // the service config that was parsed last
	parsed     *serviceconfig.ParseResult
}

func newChannel(cc resolver.ClientConn, cfg Config) *channel {
	c := &channel{cc: cc, cfg: cfg, grace: time.NewTimer(0)}
	c.grace.Stop()
	return c
}

// answer passes on what the source found, or holds it back.
func (c *channel) answer(a *answer) {
	switch {
	case len(a.state.Endpoints) > 0 || a.state.Attributes != nil:
		c.release()
		c.publish(c.configured(a))
	case c.good() && c.cfg.Grace > 0:
		c.hold(a.detail)
		c.publish(c.last)
	default:
		c.empty(a.detail)
	}
}

// configured returns the state of a with the service config that is still text
// parsed. Equal texts give the same config, so that it does not count as a
// change.
func (c *channel) configured(a *answer) resolver.State {
	state := a.state
	if state.ServiceConfig != nil {
		return state
	}
	if a.configJSON != c.parsedJSON {
		c.parse(a.configJSON)
	}
	state.ServiceConfig = c.parsed
	return state
}

// parse makes text the channel's service config. If it is malformed, a channel
// that has a good one goes on with it either way; one without fails, as gRFC A21
// wants, unless the source prefers endpoints without a config.
func (c *channel) parse(text string) {
	c.parsedJSON = text
	if text == "" {
		c.parsed = nil
		return
	}
	parsed := c.cc.ParseServiceConfig(text)
	if parsed.Err != nil {
		c.cfg.Logger.Warningf("%s: service config: %v", c.cfg.Name, parsed.Err)
		if c.cfg.KeepServiceConfig {
			return
		}
	}
	c.parsed = parsed
}

// good tells whether the channel goes by something that is not empty.
func (c *channel) good() bool { return len(c.last.Endpoints) > 0 || c.last.Attributes != nil }

// failure reports that the source failed. The source has to confirm for a whole
// grace period, without a gap, that there is nothing left.
func (c *channel) failure(err error) {
	c.release()
	c.report(err.Error())
}

// graceOver is for when the grace timer fires.
func (c *channel) graceOver() {
	c.release()
	c.empty(c.detail)
}

func (c *channel) hold(detail string) {
	c.detail = detail
	if c.holding {
		return
	}
	c.holding = true
	c.grace.Reset(c.cfg.Grace)
	c.cfg.Logger.Warningf("%s: no endpoints; keeping the last %d for %v", c.cfg.Name, len(c.last.Endpoints), c.cfg.Grace)
}

func (c *channel) release() {
	c.holding = false
	c.grace.Stop()
}

// publish makes state the channel's, unless it is already and no error has come
// between. A policy clears a resolver error only when it gets a list.
//
// What UpdateState returns is of no use: the source has nothing better to offer,
// and grpc tells the user.
func (c *channel) publish(state resolver.State) {
	if c.reported == "" && same(state, c.last) {
		return
	}
	c.last = state
	c.reported = ""
	_ = c.cc.UpdateState(state)
}

// empty takes the channel's list away, if it has one, and says why. Without one
// the error alone does more: some policies forget an error when they then get an
// empty list, and make up one of their own without a cause.
func (c *channel) empty(detail string) {
	if c.good() {
		c.last = resolver.State{Endpoints: []resolver.Endpoint{}, ServiceConfig: c.last.ServiceConfig}
		c.reported = ""
		_ = c.cc.UpdateState(c.last)
	}
	text := "no endpoints"
	if detail != "" {
		text = fmt.Sprintf("%s: %s", text, detail)
	}
	c.report(text)
}

// report tells the channel an error that it does not know yet. Only the text
// goes on: an error with a gRPC status in its chain would end even RPCs that
// asked to wait until there is a connection.
func (c *channel) report(text string) {
	if text == c.reported {
		return
	}
	c.reported = text
	c.cc.ReportError(errors.New(c.cfg.Name + ": " + text))
}
