package consul

import (
	"context"
	"net/http"
	"strconv"
	"time"
)

// patient is a transport that notes how long Consul asks a client to wait, which
// the errors of Consul's client do not tell.
type patient struct{ *http.Transport }

// retryAfterKey is the context key for where to note it.
type retryAfterKey struct{}

// withRetryAfter returns a context whose request sets *wait if Consul asks for a
// wait.
func withRetryAfter(ctx context.Context, wait *time.Duration) context.Context {
	return context.WithValue(ctx, retryAfterKey{}, wait)
}

func (p patient) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := p.Transport.RoundTrip(req)
	wait, ok := req.Context().Value(retryAfterKey{}).(*time.Duration)
	if ok && err == nil && resp.StatusCode >= http.StatusTooManyRequests {
		*wait = retryAfter(resp.Header.Get("Retry-After"), time.Now())
	}
	return resp, err
}

// retryAfter reads a Retry-After header, of RFC 9110, section 10.2.3. It returns
// 0 for what it does not understand, and never more than maxRest.
func retryAfter(header string, now time.Time) time.Duration {
	if seconds, err := strconv.Atoi(header); err == nil {
		return min(time.Duration(max(seconds, 0))*time.Second, maxRest)
	}
	at, err := http.ParseTime(header)
	if err != nil {
		return 0
	}
	return min(max(at.Sub(now), 0), maxRest)
}
