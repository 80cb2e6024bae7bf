package etcd_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/serviceconfig"

	"github.com/evenkeel-grpc/evenkeel/resolvers/etcd"
)

// fakeEtcd answers lists with what it was given, and hands the watches that are
// opened to the test.
type fakeEtcd struct {
	clientv3.KV      // panics on anything but Get
	clientv3.Watcher // panics on anything but Watch

	opened chan *fakeWatch
	deaf   bool                     // lists get no answer
	lost   bool                     // there is no leader
	burst  []clientv3.WatchResponse // that a watch has waiting when it opens

	mu       sync.Mutex // guards the fields below
	revision int64
	cluster  uint64
	keys     map[string]string
	lists    []string // the ranges that were read
}

// fakeWatch is an open watch, and what it was opened with.
type fakeWatch struct {
	responses chan clientv3.WatchResponse
	rang      string
	revision  int64
	leader    bool // required
}

func newFakeEtcd() *fakeEtcd {
	return &fakeEtcd{opened: make(chan *fakeWatch), keys: map[string]string{}}
}

// set makes key hold an entry for addr at the given revision.
func (f *fakeEtcd) set(revision int64, key, addr string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.revision = revision
	f.keys[key] = value(addr)
}

func value(addr string) string { return `{"Op":0,"Addr":"` + addr + `","Metadata":null}` }

func rangeOf(op clientv3.Op) string { return string(op.KeyBytes()) + "-" + string(op.RangeBytes()) }

func (f *fakeEtcd) Get(ctx context.Context, key string, opts ...clientv3.OpOption) (*clientv3.GetResponse, error) {
	if f.deaf {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	op := clientv3.OpGet(key, opts...)
	if f.lost && !op.IsSerializable() {
		return nil, rpctypes.ErrNoLeader
	}
	resp := &clientv3.GetResponse{Header: &etcdserverpb.ResponseHeader{Revision: f.revision, ClusterId: f.cluster}}
	if len(op.RangeBytes()) > 0 {
		f.lists = append(f.lists, rangeOf(op))
	}
	for _, k := range slices.Sorted(maps.Keys(f.keys)) {
		if k == key || len(op.RangeBytes()) > 0 && k >= key && k < string(op.RangeBytes()) {
			resp.Kvs = append(resp.Kvs, &mvccpb.KeyValue{Key: []byte(k), Value: []byte(f.keys[k])})
		}
	}
	if n := int(op.Limit()); n > 0 && len(resp.Kvs) > n {
		resp.Kvs, resp.More = resp.Kvs[:n], true
	}
	return resp, nil
}

func (f *fakeEtcd) Watch(ctx context.Context, key string, opts ...clientv3.OpOption) clientv3.WatchChan {
	op := clientv3.OpGet(key, opts...)
	md, _ := metadata.FromOutgoingContext(ctx)
	w := &fakeWatch{
		responses: make(chan clientv3.WatchResponse, 1000),
		rang:      rangeOf(op),
		revision:  op.Rev(),
		leader:    slices.Equal(md.Get("hasleader"), []string{"true"}),
	}
	for _, resp := range f.burst {
		w.responses <- resp
	}
	select {
	case f.opened <- w:
		return w.responses
	case <-ctx.Done():
		closed := make(chan clientv3.WatchResponse)
		close(closed)
		return closed
	}
}

// put and del are the responses of a watch to one change.
func put(key, addr string) clientv3.WatchResponse {
	return change(clientv3.EventTypePut, key, value(addr))
}

func del(key string) clientv3.WatchResponse { return change(clientv3.EventTypeDelete, key, "") }

func change(kind mvccpb.Event_EventType, key, value string) clientv3.WatchResponse {
	kv := &mvccpb.KeyValue{Key: []byte(key), Value: []byte(value), ModRevision: 5}
	return clientv3.WatchResponse{Events: []*clientv3.Event{{Type: kind, Kv: kv}}}
}

// fakeChannel notes what the resolver tells it.
type fakeChannel struct {
	resolver.ClientConn // panics on anything else

	mu   sync.Mutex // guards the field below
	told []string
}

func (c *fakeChannel) UpdateState(s resolver.State) error {
	var addrs []string
	for _, e := range s.Endpoints {
		addrs = append(addrs, e.Addresses[0].Addr)
	}
	c.note("list " + strings.Join(addrs, " "))
	if s.ServiceConfig != nil {
		c.note(fmt.Sprint("config ", s.ServiceConfig.Config))
	}
	return nil
}

// ParseServiceConfig takes any text for a config.
func (*fakeChannel) ParseServiceConfig(text string) *serviceconfig.ParseResult {
	return &serviceconfig.ParseResult{Config: parsedConfig{text: text}}
}

type parsedConfig struct {
	serviceconfig.Config
	text string
}

func (p parsedConfig) String() string { return p.text }

func (c *fakeChannel) ReportError(err error) { c.note("error " + err.Error()) }

func (c *fakeChannel) note(call string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told = append(c.told, call)
}

func (c *fakeChannel) take() []string {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	told := c.told
	c.told = nil
	return told
}

// expect fails the test unless the channel was told exactly want since the last
// time.
func (c *fakeChannel) expect(t *testing.T, want ...string) {
	t.Helper()
	if got := c.take(); !slices.Equal(got, want) {
		t.Fatalf("the channel was told %q, want %q", got, want)
	}
}

// client returns a client of f that ends with the test.
func (f *fakeEtcd) client(t *testing.T) *clientv3.Client {
	t.Helper()
	client := clientv3.NewCtxClient(t.Context())
	client.KV, client.Watcher = f, f
	return client
}

// follow runs a resolver for the prefix x on f, in the bubble of t.
func follow(t *testing.T, f *fakeEtcd) *fakeChannel {
	t.Helper()
	return build(t, f.client(t), "etcd:///x")
}

func build(t *testing.T, client *clientv3.Client, to string) *fakeChannel {
	t.Helper()
	cc := &fakeChannel{}
	r, err := etcd.NewBuilder(etcd.WithClient(client)).Build(target(t, to), cc, resolver.BuildOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return cc
}
