package etcd

import (
	"go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/evenkeel-grpc/evenkeel/resolvers/internal/watch"
)

// mirror is what is known of a prefix and of the service config, and as of when.
type mirror struct {
	table  *table
	config string // of the service, "" if there is none

	// The header of the last list; its revision is 0 before the first. The term
	// is the latest one seen.
	cluster uint64
	term    uint64

	// Everything up to these revisions is in the fields above.
	revision       int64
	configRevision int64
}

func (m *mirror) listed() bool { return m.revision > 0 }

// precedes tells whether h can be of the same cluster at the same time or later.
func (m *mirror) precedes(h *etcdserverpb.ResponseHeader) bool {
	return h.ClusterId == m.cluster && h.RaftTerm >= m.term && h.Revision >= max(m.revision, m.configRevision)
}

// reset makes m show what a list has found.
func (m *mirror) reset(t *table, config string, h *etcdserverpb.ResponseHeader) {
	*m = mirror{
		table: t, config: config,
		cluster: h.ClusterId, term: h.RaftTerm,
		revision: h.Revision, configRevision: h.Revision,
	}
}

// advance follows a response of the watch of the prefix, but for the key that is
// the service config's. It tells whether there was a change.
func (m *mirror) advance(resp clientv3.WatchResponse, configKey string) (changed bool) {
	for _, ev := range resp.Events {
		if string(ev.Kv.Key) == configKey {
			continue
		}
		m.table.apply(ev)
		changed = true
	}
	m.revision = reached(m.revision, resp)
	m.term = max(m.term, resp.Header.GetRaftTerm())
	return changed
}

// advanceConfig follows a response of the watch of the service config.
func (m *mirror) advanceConfig(resp clientv3.WatchResponse) (changed bool) {
	before := m.config
	for _, ev := range resp.Events {
		m.config = string(ev.Kv.Value) // "" in a deletion
	}
	m.configRevision = reached(m.configRevision, resp)
	return m.config != before
}

// reached returns the revision up to which a watch has told everything. The
// header of a response with events may be ahead of them.
func reached(before int64, resp clientv3.WatchResponse) int64 {
	switch n := len(resp.Events); {
	case n > 0:
		return max(before, resp.Events[n-1].Kv.ModRevision)
	case resp.IsProgressNotify():
		return max(before, resp.Header.Revision)
	default:
		return before
	}
}

func (m *mirror) snapshot() watch.Snapshot {
	s := m.table.snapshot()
	s.ServiceConfigJSON = m.config
	return s
}
