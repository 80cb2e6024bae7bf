package consul

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/evenkeel-grpc/evenkeel/internal/secret"
)

// asker asks one question of Consul, one request at a time.
type asker struct {
	// Set by its owner, then read-only.
	client *client
	query  *query
	dc     string // empty means the agent's own

	// Owned by who asks.
	slow int // requests in a row that had no answer in time
}

// answer is what Consul said.
type answer struct {
	entries []*api.ServiceEntry // of a service
	pair    *api.KVPair         // of a key; nil if it does not exist
	ttl     time.Duration       // of a prepared query, 0 if it has none
	meta    api.QueryMeta
	hiding  string // what Consul may hide from us, and why; "" if nothing
}

// instances asks for the instances of the service. With an index Consul holds
// the answer back until there is a change; without one it answers at once.
func (a *asker) instances(ctx context.Context, index uint64) (answer, error) {
	return a.ask(ctx, index, func(opts *api.QueryOptions) (ans answer, meta *api.QueryMeta, err error) {
		opts.Near, opts.Filter = a.query.near, a.query.filter
		find := a.client.Health().ServiceMultipleTags
		if a.query.connect {
			find = a.client.Health().ConnectMultipleTags
		}
		// What is not healthy is asked for too, to be able to say so.
		ans.entries, meta, err = find(a.query.name, a.query.tags.split(), false, opts)
		return ans, meta, err
	})
}

// execute executes the prepared query.
func (a *asker) execute(ctx context.Context) (answer, error) {
	return a.ask(ctx, 0, func(opts *api.QueryOptions) (ans answer, meta *api.QueryMeta, err error) {
		opts.Near, opts.Connect = a.query.near, a.query.connect
		resp, meta, err := a.client.PreparedQuery().Execute(a.query.name, opts)
		if err != nil || resp == nil {
			return ans, meta, err
		}
		for i := range resp.Nodes {
			ans.entries = append(ans.entries, &resp.Nodes[i])
		}
		ans.ttl, _ = time.ParseDuration(resp.DNS.TTL)
		return ans, meta, nil
	})
}

// value asks for the key that holds the service config.
func (a *asker) value(ctx context.Context, index uint64) (answer, error) {
	return a.ask(ctx, index, func(opts *api.QueryOptions) (ans answer, meta *api.QueryMeta, err error) {
		ans.pair, meta, err = a.client.KV().Get(a.query.configKey, opts)
		return ans, meta, err
	})
}

// ask makes one request. Its errors tell what a caller of RPCs can understand,
// the same for the same cause, without a secret.
func (a *asker) ask(ctx context.Context, index uint64, request func(*api.QueryOptions) (answer, *api.QueryMeta, error)) (answer, error) {
	token, err := a.client.token()
	if err != nil {
		return answer{}, err
	}
	var rest time.Duration
	limited, done := a.limit(withRetryAfter(ctx, &rest), index > 0)
	defer done()
	ans, meta, err := request(a.options(limited, index, token))
	if ctx.Err() != nil {
		return answer{}, ctx.Err()
	}
	if err != nil {
		return answer{}, a.client.hide(a.explain(limited, err, rest), token)
	}
	a.slow = 0
	if meta != nil {
		ans.meta = *meta
		ans.hiding = a.client.hiding(meta)
	}
	return ans, nil
}

// hiding says why Consul may have left something out: it tells those who have a
// token, but not those who have none.
func (c *client) hiding(meta *api.QueryMeta) string {
	switch {
	case meta.ResultsFilteredByACLs:
		return "Consul withholds what the ACL token may not read"
	case c.anonymous && meta.DefaultACLPolicy == "deny":
		return "Consul was asked without an ACL token, and denies by default"
	default:
		return ""
	}
}

func (a *asker) options(ctx context.Context, index uint64, token secret.Text) *api.QueryOptions {
	opts := &api.QueryOptions{
		Namespace:         a.query.ns,
		Partition:         a.query.partition,
		Datacenter:        a.dc,
		AllowStale:        a.query.reads == readStale,
		RequireConsistent: a.query.reads == readConsistent,
		UseCache:          a.query.reads == readCached,
		Token:             token.Reveal(),
	}
	if index > 0 {
		opts.WaitIndex, opts.WaitTime = index, a.spread()
	}
	return opts.WithContext(ctx)
}

// spread is the wait, less up to a sixteenth, so that channels that began
// together do not ask together for ever.
func (a *asker) spread() time.Duration {
	wait := a.wait()
	return wait - rand.N(wait/16+1)
}

func (a *asker) wait() time.Duration {
	if a.query.wait == 0 {
		return defaultWait
	}
	return a.query.wait
}

var errTimeout = errors.New("no answer in time")

// minTimeout is how long the first byte of an answer may take that Consul does
// not hold back. It doubles on each failure in a row, up to the timeout.
const minTimeout = time.Second

// limit returns a context that ends when an answer takes too long, and a
// function to call when it is there.
func (a *asker) limit(ctx context.Context, held bool) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	timeout := min(minTimeout<<min(a.slow, 10), a.query.timeout)
	if held {
		wait := a.wait()
		timeout = wait + wait/16 + a.query.timeout // Consul adds a sixteenth at most
	}
	timer := time.AfterFunc(timeout, func() { cancel(errTimeout) })
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		// The rest may take as long again, be it a large list over a slow line.
		GotFirstResponseByte: func() { timer.Reset(a.query.timeout) },
	})
	return ctx, func() {
		timer.Stop()
		cancel(nil)
	}
}

// explain turns an error of Consul's client into one that can be shown.
func (a *asker) explain(ctx context.Context, err error, rest time.Duration) error {
	if errors.Is(context.Cause(ctx), errTimeout) {
		a.slow++
		return fmt.Errorf("asking Consul: %w", errTimeout)
	}
	if status, ok := errors.AsType[api.StatusError](err); ok {
		return refusal{status, rest}
	}
	return fmt.Errorf("asking Consul: %w", reason(err))
}

// refusal is an answer that is an error.
type refusal struct {
	api.StatusError
	rest time.Duration // that Consul asks for, 0 if it does not say
}

func (r refusal) Error() string {
	text := http.StatusText(r.Code)
	if r.Body != "" {
		text = r.Body
	}
	return fmt.Sprintf("Consul answers %d: %s", r.Code, text)
}

// hide returns err without the client's secrets in its text, and one more.
func (c *client) hide(err error, token secret.Text) error {
	return hidden{secret.Hide(err.Error(), append(slices.Clip(c.secrets), token)...), err}
}

// hidden is an error with a text that shows no secret.
type hidden struct {
	text string
	err  error
}

func (h hidden) Error() string { return h.text }

func (h hidden) Unwrap() error { return h.err }

// reason is err without what differs from one attempt to the next, such as the
// index and the local port: a channel would take it for a new error.
func reason(err error) error {
	if bad, ok := errors.AsType[*url.Error](err); ok {
		err = bad.Err
	}
	op, ok := errors.AsType[*net.OpError](err)
	switch {
	case !ok:
		return err
	case op.Addr == nil || op.Source == nil:
		return op // without what package net/http may have put around it
	default:
		return fmt.Errorf("%s %s: %w", op.Op, op.Addr, op.Err)
	}
}
