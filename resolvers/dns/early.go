package dns

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Early tells an RPC that waits for the first answer that there may be none: a
// name server that is silent would else be noticed only after its timeout, which
// is longer than most deadlines. One that is alive, but takes long with this name,
// is given its time: a question that is easy to answer tells the two apart.
func (s *source) Early(ctx context.Context) error {
	if !sleep(ctx, s.cfg.wait/4) {
		return nil // most answers come by then
	}
	servers := s.choose()
	if servers.System {
		return nil // there is nobody to ask
	}
	session := s.cache.Open(servers)
	defer session.Close()
	if session.Alive(ctx, s.cfg.wait-s.cfg.wait/4) || ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("no answer yet from %s, nor any sign of life for %v", strings.Join(servers.Addrs, ", "), s.cfg.wait)
}

// sleep returns false if ctx is done first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
