package v1adapter

import (
	"context"
	"sync"

	"google.golang.org/grpc/stats"
)

// statsHandler tells Pick about the RPC: grpc gives PickInfo.Ctx what TagRPC
// puts into it. It has no state, so that one serves all channels.
type statsHandler struct{}

var _ stats.Handler = statsHandler{}

type attemptKey struct{}

// failFast is the attempt of all fail-fast RPCs, about which there is nothing
// more to know.
var failFast = &attempt{}

// TagRPC starts an attempt: grpc calls it for each try of an RPC.
func (statsHandler) TagRPC(ctx context.Context, info *stats.RPCTagInfo) context.Context {
	a := failFast
	if !info.FailFast {
		a = &attempt{waits: true}
	}
	return context.WithValue(ctx, attemptKey{}, a)
}

// HandleRPC does nothing.
func (statsHandler) HandleRPC(context.Context, stats.RPCStats) {}

// TagConn does nothing.
func (statsHandler) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

// HandleConn does nothing.
func (statsHandler) HandleConn(context.Context, stats.ConnStats) {}

// attempt is one try of an RPC. grpc picks for it until a pick is of use.
type attempt struct {
	// Set once.
	waits bool // wait-for-ready, by the call or by the service config

	mu   sync.Mutex    // guards the fields below
	gets []*waitingGet // at most one for each picker
}

// attemptOf returns the attempt that a pick is for, nil on a channel without the
// stats handler.
func attemptOf(ctx context.Context) *attempt {
	a, _ := ctx.Value(attemptKey{}).(*attempt)
	return a
}

// get returns the Get that p has under way for the attempt, or nil.
func (a *attempt) get(p *picker) *waitingGet {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, g := range a.gets {
		if g.picker == p {
			return g
		}
	}
	return nil
}
