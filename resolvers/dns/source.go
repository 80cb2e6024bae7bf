package dns

import (
	"context"
	"crypto/tls"
	"hash/maphash"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/resolver"

	"github.com/evenkeel-grpc/evenkeel/resolvers/dns/internal/hostconf"
	"github.com/evenkeel-grpc/evenkeel/resolvers/dns/internal/lookup"
	"github.com/evenkeel-grpc/evenkeel/resolvers/internal/watch"
)

var (
	_ watch.Source   = (*source)(nil)
	_ watch.Hastener = (*source)(nil)
	_ watch.Herald   = (*source)(nil)
)

// fileInterval is how often a file is looked at that the addresses come from.
const fileInterval = 5 * time.Second

// source follows one target.
type source struct {
	// Set by Build, then read-only.
	cfg    config
	tls    *tls.Config
	local  *hostconf.Host
	cache  *lookup.Cache
	grpclb bool // whether that policy is linked in
	seed   maphash.Seed
	nudge  chan struct{} // capacity 1: a ResolveNow that Run has not seen yet

	v6First atomic.Bool // which family comes first

	// Owned by Run.
	configs  configs
	memory   memory
	servers  lookup.Servers
	lb       balancerState
	name     string // the fully qualified name that the host stood for last
	fromFile bool   // whether this round used the hosts file
	failed   bool   // the last round
	empty    int    // rounds in a row that found nothing
	hastened bool   // a ResolveNow whose time has not come
	running  sync.WaitGroup
}

func (b *builder) newSource(cfg config, cc resolver.ClientConn, opts resolver.BuildOptions) *source {
	return &source{
		cfg:     cfg,
		tls:     b.tls,
		local:   b.local,
		cache:   b.cache,
		grpclb:  balancer.Get("grpclb") != nil,
		seed:    maphash.MakeSeed(),
		nudge:   make(chan struct{}, 1),
		configs: newConfigs(cfg, cc, opts),
		memory:  memory{params: cfg.params, records: map[lookup.Question]*record{}},
	}
}

// ResolveNow makes due what was last asked the minimum interval ago or longer, as
// soon as there is something.
func (s *source) ResolveNow() {
	select {
	case s.nudge <- struct{}{}:
	default:
	}
}

// Close gives up the source's share of the look-ups.
func (s *source) Close() error {
	if old := s.memory.open(nil); old != nil {
		old.Close()
	}
	return nil
}

func (s *source) Run(ctx context.Context, publish func(watch.Snapshot)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer s.running.Wait()
	defer cancel()
	round := whatIsDue
	if s.failed {
		round = whatFailed
	}
	for ctx.Err() == nil {
		snapshot, due, err := s.poll(ctx, round)
		if err != nil {
			s.failed = true
			s.configs.late = nil
			return err
		}
		s.failed = false
		publish(snapshot)
		round = s.pause(ctx, due)
	}
	return ctx.Err()
}

// poll asks what there is to ask, and returns when it should be called again.
func (s *source) poll(ctx context.Context, round which) (snapshot watch.Snapshot, due time.Time, err error) {
	if s.reopen() {
		round = everything
	}
	s.memory.begin(round)
	s.fromFile = false
	if round == everything || round == whatIsOld {
		s.hastened = false
	}
	if snapshot, err = s.look(ctx); err != nil {
		return snapshot, due, err
	}
	due = s.memory.end()
	if s.fromFile && !s.cfg.refresh.off {
		due = earlier(due, time.Now().Add(fileInterval))
	}
	if len(snapshot.Endpoints) > 0 || snapshot.Attributes != nil {
		s.empty = 0
		return snapshot, due, nil
	}
	due = earlier(due, time.Now().Add(retryWait(s.empty)))
	s.empty++
	return snapshot, due, nil
}

// reopen makes the session one with the servers that are to be asked now. It
// returns true if they are not the ones that were asked before.
func (s *source) reopen() bool {
	servers := s.choose()
	if s.memory.opened() && reflect.DeepEqual(servers, s.servers) {
		return false
	}
	s.servers = servers
	old := s.memory.open(s.cache.Open(servers))
	if old == nil {
		return false
	}
	old.Close()
	return true
}

// look asks for all that the target wants to know.
func (s *source) look(ctx context.Context) (watch.Snapshot, error) {
	var list []resolver.Endpoint
	var f found
	var name string
	if s.cfg.srv {
		list, f, name = s.service(ctx)
	} else {
		f, name = s.address(ctx)
		list = s.endpoints(f.addrs, s.cfg.port, "")
	}
	snapshot := watch.Snapshot{Endpoints: list, Detail: f.missing}
	snapshot.Attributes = s.balancers(ctx, name)
	if f.err != nil && snapshot.Attributes == nil {
		return watch.Snapshot{}, f.err
	}
	snapshot.ServiceConfig = s.serviceConfig(ctx, name)
	s.chooseFamily(list)
	return snapshot, ctx.Err()
}

// pause waits until due, a ResolveNow whose time has come, or a service config
// that is late. It returns what to ask next.
func (s *source) pause(ctx context.Context, due time.Time) which {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		at := due
		early := s.memory.oldest().Add(minResolutionInterval)
		if s.hastened {
			at = earlier(due, early)
		}
		timer.Reset(time.Until(at))
		select {
		case <-ctx.Done():
			return whatIsDue
		case <-s.configs.late:
			return whatIsDue
		case <-s.nudge:
			s.hastened = true
		case <-timer.C:
			switch {
			case s.empty > 0:
				return everything
			case s.hastened && !time.Now().Before(early):
				return whatIsOld
			default:
				return whatIsDue
			}
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
