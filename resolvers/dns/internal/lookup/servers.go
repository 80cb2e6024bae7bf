package lookup

import (
	"context"
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
)

// firstTry is how long a server has for its first answer to a question: a lost
// datagram, or a first server that is down, shall not cost the whole timeout.
const firstTry = time.Second

// Servers says whom to ask, and how.
type Servers struct {
	// Addrs are host:port, in order of preference.
	Addrs []string

	// System means the operating system's own resolver instead of Addrs, for
	// what only it can do. It does not tell TTLs; [SystemTTL] stands for them.
	System bool

	// ServerName is the name in the certificate of the servers, for DNS over
	// TLS. Without it the questions go over UDP and TCP, in the clear.
	ServerName string
	// TLS completes ServerName. It is compared as a pointer; nil means the
	// system's roots.
	TLS *tls.Config

	// Timeout is how long one server has for an answer; the first time less.
	Timeout time.Duration
	// Attempts is how often each server is asked before the look-up fails.
	Attempts int
	// Rotate begins each look-up with another server.
	Rotate bool
	// Limit is how long a look-up may take altogether.
	Limit time.Duration
}

// key is the same for servers that would be asked in the same way.
func (s Servers) key() string {
	return fmt.Sprintf("%q %v %q %p %v %d %v %v", s.Addrs, s.System, s.ServerName, s.TLS, s.Timeout, s.Attempts, s.Rotate, s.Limit)
}

// exchanger asks one server one question. The answer has the question's id and
// question and is not truncated.
type exchanger func(ctx context.Context, server string, q Question) (*dns.Msg, error)

// asker finds the result of a question.
type asker struct {
	// Set at the beginning, then read-only.
	servers  Servers
	exchange exchanger
	heard    func() // is told of every answer

	preferred atomic.Uint32 // index of the server to begin with
}

// ask follows a question to its end. It always returns a result, and with At
// set.
func (a *asker) ask(ctx context.Context, q Question) Result {
	ctx, cancel := context.WithTimeout(ctx, a.servers.Limit)
	defer cancel()
	find := a.follow
	if a.servers.System {
		find = askSystem
	}
	r, err := find(ctx, q)
	if err != nil {
		r = Result{Err: fmt.Errorf("%v record: %w", q.Type, err)}
	}
	r.At = time.Now()
	return r
}

// follow asks, and asks again for aliases whose records were not in the answer.
func (a *asker) follow(ctx context.Context, q Question) (Result, error) {
	step := step{next: &q, chain: newChain()}
	var err error
	for step.next != nil {
		if step, err = a.tryAll(ctx, step.chain, *step.next); err != nil {
			return Result{}, err
		}
	}
	return step.result, nil
}

// step is what one answer adds: a result, or the next question.
type step struct {
	result Result
	next   *Question
	chain  *chain
}

// tryAll asks one server after the other until one answers.
func (a *asker) tryAll(ctx context.Context, c *chain, q Question) (step, error) {
	n := len(a.servers.Addrs)
	failures := make([]error, n)
	first := a.first(n)
	for attempt := range max(1, a.servers.Attempts) {
		for i := range n {
			at := (first + i) % n
			s, err := a.tryOne(ctx, c.clone(), q, at, attempt)
			if err == nil {
				a.preferred.Store(uint32(at))
				return s, nil
			}
			failures[at] = err
			if ctx.Err() != nil {
				return step{}, a.failed(failures)
			}
		}
	}
	return step{}, a.failed(failures)
}

// first returns the index of the server to begin with: the one that answered
// last, because asking a dead one first would cost its timeout each time.
func (a *asker) first(n int) int {
	if a.servers.Rotate {
		return rand.IntN(n)
	}
	return int(a.preferred.Load()) % n
}

func (a *asker) tryOne(ctx context.Context, c *chain, q Question, at, attempt int) (step, error) {
	timeout := a.servers.Timeout
	if attempt == 0 && a.servers.Attempts > 1 {
		timeout = min(timeout, firstTry)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	server := a.servers.Addrs[at]
	m, err := a.hear(ctx, server, q)
	if err != nil {
		return step{}, reason(err)
	}
	r, next, err := c.interpret(m, q, server)
	return step{result: r, next: next, chain: c}, err
}

// hear is exchange, and notes that the server lives.
func (a *asker) hear(ctx context.Context, server string, q Question) (*dns.Msg, error) {
	m, err := a.exchange(ctx, server, q)
	if err == nil {
		a.heard()
	}
	return m, err
}

// failed puts together what was wrong with each server that was asked.
func (a *asker) failed(failures []error) error {
	var parts []string
	for i, err := range failures {
		if err != nil {
			parts = append(parts, fmt.Sprintf("%s: %v", a.servers.Addrs[i], err))
		}
	}
	return lookupError(strings.Join(parts, "; "))
}

// lookupError is a failure without anything that would make one cause look like
// several, or mean something else to the caller of an RPC.
type lookupError string

func (e lookupError) Error() string { return string(e) }
