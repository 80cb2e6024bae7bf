package etcd

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/evenkeel-grpc/evenkeel/resolvers/internal/register"
)

// fakeRegistry is an etcd that fails when told to, which a real one does not do
// in a bubble.
type fakeRegistry struct {
	clientv3.KV      // panics on anything but Put
	clientv3.Watcher // panics on anything but Watch
	clientv3.Lease   // panics on anything but what is below

	mu     sync.Mutex // guards the fields below
	down   error      // what every request fails with, if not nil
	leases map[clientv3.LeaseID]chan *clientv3.LeaseKeepAliveResponse
	last   clientv3.LeaseID
	log    []string
	times  []time.Time // of grants
	closed bool
}

func newFakeRegistry() *fakeRegistry {
	return &fakeRegistry{leases: make(map[clientv3.LeaseID]chan *clientv3.LeaseKeepAliveResponse)}
}

func (f *fakeRegistry) request(what string) error {
	f.log = append(f.log, what)
	return f.down
}

func (f *fakeRegistry) Grant(_ context.Context, ttl int64) (*clientv3.LeaseGrantResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.times = append(f.times, time.Now())
	if err := f.request("grant"); err != nil {
		return nil, err
	}
	f.last++
	f.leases[f.last] = make(chan *clientv3.LeaseKeepAliveResponse)
	return &clientv3.LeaseGrantResponse{ID: f.last, TTL: ttl}, nil
}

func (f *fakeRegistry) Put(_ context.Context, key, value string, opts ...clientv3.OpOption) (*clientv3.PutResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.request("put " + key + " " + value); err != nil {
		return nil, err
	}
	if len(opts) != 1 || f.leases[f.last] == nil {
		return nil, rpctypes.ErrLeaseNotFound
	}
	return &clientv3.PutResponse{Header: &etcdserverpb.ResponseHeader{Revision: 1}}, nil
}

func (f *fakeRegistry) KeepAlive(_ context.Context, id clientv3.LeaseID) (<-chan *clientv3.LeaseKeepAliveResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.leases[id], nil
}

func (f *fakeRegistry) Revoke(_ context.Context, id clientv3.LeaseID) (*clientv3.LeaseRevokeResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.request("revoke"); err != nil {
		return nil, err
	}
	delete(f.leases, id)
	return nil, nil //nolint:nilnil // the answer has nothing in it
}

func (f *fakeRegistry) Watch(context.Context, string, ...clientv3.OpOption) clientv3.WatchChan {
	return make(chan clientv3.WatchResponse)
}

func (f *fakeRegistry) Close() error {
	f.closed = true
	return nil
}

// expire takes the lease away as if etcd had.
func (f *fakeRegistry) expire(down error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.leases[f.last])
	delete(f.leases, f.last)
	f.down = down
}

func (f *fakeRegistry) setDown(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down = err
}

// requests returns what was asked since the last time.
func (f *fakeRegistry) requests() []string {
	synctest.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	log := f.log
	f.log = nil
	return log
}

func (f *fakeRegistry) expect(t *testing.T, want ...string) {
	t.Helper()
	if got := f.requests(); !slices.Equal(got, want) {
		t.Fatalf("etcd was asked %q, want %q", got, want)
	}
}

var payments = Registration{Prefix: "x", Addr: "a:1", DrainWait: time.Minute}

const putPayments = `put x/a:1 {"Op":0,"Addr":"a:1","Metadata":null}`

// enter registers in the bubble of t, until the end of the test or stop.
func enter(t *testing.T, f *fakeRegistry, reg Registration) (r *Registrar, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	client := clientv3.NewCtxClient(ctx)
	client.KV, client.Watcher = f, f
	r, err := start(ctx, client, f, reg)
	if err != nil {
		t.Fatal(err)
	}
	stop = func() {
		cancel()
		<-r.Done()
		if !f.closed {
			t.Error("the lessor is still open after Done")
		}
	}
	t.Cleanup(stop)
	return r, stop
}

func TestLostLeaseIsGrantedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeRegistry()
		var seen []string
		reg := payments
		reg.OnStatus = func(s Status) { seen = append(seen, s.State.String()) }
		r, stop := enter(t, f, reg)
		if err := r.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.expect(t, "grant", putPayments)
		f.expire(nil)
		f.expect(t)
		if s := r.Status(); s.State != Retrying || !errors.Is(s.Err, errLeaseLost) {
			t.Errorf("status after the lease was lost = %+v, want retrying and why", s)
		}
		time.Sleep(2 * register.MinRepair)
		f.expect(t, putPayments, "grant", putPayments) // the old lease might have lived
		if s := r.Status(); s.State != Registered || s.Err != nil || s.Lease != 2 {
			t.Errorf("status = %+v, want registered with lease 2 and no error", s)
		}
		stop()
		f.expect(t, "revoke")
		if want := []string{"registered", "retrying", "registered", "stopped"}; !slices.Equal(seen, want) {
			t.Errorf("OnStatus saw %q, want %q", seen, want)
		}
	})
}

// The client of etcd would wait for its dial timeout as well.
func TestLeaseThatNobodyConfirmsIsLostAfterItsTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeRegistry()
		r, _ := enter(t, f, payments)
		f.expect(t, "grant", putPayments)
		time.Sleep(6 * time.Second)
		f.leases[f.last] <- &clientv3.LeaseKeepAliveResponse{}
		time.Sleep(defaultTTL - time.Nanosecond)
		synctest.Wait()
		if s := r.Status(); s.State != Registered {
			t.Errorf("status within the TTL = %+v, want registered", s)
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if s := r.Status(); s.State != Retrying || !errors.Is(s.Err, errLeaseLost) {
			t.Errorf("status after the TTL = %+v, want retrying because the lease is lost", s)
		}
	})
}

func TestRepairWaitsLongerAndLongerWithJitter(t *testing.T) {
	third := map[time.Duration]bool{}
	for range 10 {
		synctest.Test(t, func(t *testing.T) {
			f := newFakeRegistry()
			f.setDown(errors.New("down"))
			_, stop := enter(t, f, payments)
			time.Sleep(5 * time.Minute)
			stop()
			want := register.MinRepair
			for i := 1; i < len(f.times); i++ {
				if got := f.times[i].Sub(f.times[i-1]); got < want/2 || got > want*3/2+1 {
					t.Fatalf("wait %d = %v, want %v plus or minus half", i, got, want)
				}
				want = min(2*want, register.MaxRepair)
			}
			if len(f.times) < 90 {
				t.Errorf("attempts in 5 minutes = %d, want at least 90", len(f.times))
			}
			third[f.times[3].Sub(f.times[2])] = true
		})
	}
	if len(third) < 8 {
		t.Errorf("10 registrars chose only %d different third waits", len(third))
	}
}

func TestDrainRemovesAndWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeRegistry()
		r, _ := enter(t, f, payments)
		f.expect(t, "grant", putPayments)
		began := time.Now()
		if err := r.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(began); d != time.Minute {
			t.Errorf("Drain took %v, want the time that clients get to notice", d)
		}
		f.expect(t, "revoke")
		<-r.Done()
		if err := r.Drain(t.Context()); err != nil {
			t.Errorf("Drain again = %v, want nil", err)
		}
		if err := r.Update(t.Context(), nil, 1); !errors.Is(err, register.ErrStopped) {
			t.Errorf("Update after Drain = %v, want %v", err, register.ErrStopped)
		}
	})
}

func TestDrainGoesOnWhenNobodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeRegistry()
		r, _ := enter(t, f, payments)
		f.expect(t, "grant", putPayments)
		f.setDown(errors.New("down"))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := r.Drain(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), `"x/a:1": not removed yet`) || !strings.Contains(err.Error(), "down") {
			t.Errorf("Drain = %v, want that time is up, and why it was not enough", err)
		}
		if s := r.Status(); s.State != Draining {
			t.Errorf("state = %v, want draining", s.State)
		}
		f.setDown(nil)
		<-r.Done()
		if log := f.requests(); slices.ContainsFunc(log, func(s string) bool { return s != "revoke" }) {
			t.Errorf("etcd was asked %q after Drain, want nothing but to revoke", log)
		}
	})
}

func TestUpdateIsWrittenLaterIfNotNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeRegistry()
		r, _ := enter(t, f, payments)
		f.expect(t, "grant", putPayments)
		const updated = `put x/a:1 {"Op":0,"Addr":"a:1","Metadata":{"weight":7,"zone":"b"}}`
		f.setDown(errors.New("down"))
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if err := r.Update(ctx, map[string]string{"zone": "b"}, 7); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Update = %v, want that time is up", err)
		}
		f.expect(t, updated)
		f.setDown(nil)
		time.Sleep(2 * register.MinRepair)
		f.expect(t, updated)
		if err := r.Update(t.Context(), nil, 0); err != nil {
			t.Errorf("Update = %v", err)
		}
		f.expect(t, putPayments)
	})
}

func TestEndOfContextWithoutEtcdTakesNotForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeRegistry()
		_, stop := enter(t, f, payments)
		f.expect(t, "grant", putPayments)
		f.setDown(errors.New("down"))
		began := time.Now()
		stop()
		f.expect(t, "revoke")
		if d := time.Since(began); d > goodbye {
			t.Errorf("the end took %v, want %v at most", d, goodbye)
		}
	})
}

func TestRegisterRejects(t *testing.T) {
	for _, tt := range []struct {
		name string
		reg  Registration
		want string
	}{
		{"no prefix", Registration{Prefix: "/", Addr: "a:1"}, "no prefix; want e.g. services/payments"},
		{"no address", Registration{Prefix: "x"}, "no address"},
		{"no port", Registration{Prefix: "x", Addr: "a"}, `address "a": want host:port`},
		{"a short TTL", Registration{Prefix: "x", Addr: "a:1", TTL: time.Millisecond}, "TTL 1ms: want 1s or more"},
		{"a weight in an array", Registration{Prefix: "x", Addr: "a:1", Metadata: []int{1}, Weight: 2}, "metadata [1]: want a JSON object"},
		{"metadata that JSON lacks", Registration{Prefix: "x", Addr: "a:1", Metadata: func() {}}, "metadata: json"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFakeRegistry()
			_, err := start(t.Context(), clientv3.NewCtxClient(t.Context()), f, tt.reg)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Register = %v, want %s", err, tt.want)
			}
			if !f.closed {
				t.Error("the lessor is still open")
			}
		})
	}
}

func TestRegisterRejectsNoClient(t *testing.T) {
	if r, err := Register(t.Context(), nil, payments); err == nil {
		t.Errorf("Register without a client = %v, nil, want an error", r)
	}
}

func TestEncodeWritesWhatTheOfficialPackageDoes(t *testing.T) {
	for _, tt := range []struct {
		entry Entry
		want  string
	}{
		{Entry{Addr: "10.0.0.1:9000"}, officialPlain},
		{Entry{Addr: "10.0.0.2:9000", Weight: 5}, officialMeta},
		{Entry{Addr: "10.0.0.2:9000", Metadata: map[string]int{"weight": 5}}, officialMeta},
		{Entry{Addr: "10.0.0.2:9000", Metadata: json.RawMessage(`{"weight":1}`), Weight: 5}, officialMeta},
		{Entry{Addr: "10.0.0.3:9000", Metadata: "zone-a"}, officialText},
	} {
		if got, err := encode(tt.entry); err != nil || string(got) != tt.want {
			t.Errorf("encode(%+v) = %s, %v, want %s", tt.entry, got, err, tt.want)
		}
	}
}
