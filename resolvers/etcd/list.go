package etcd

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// list reads all keys. If the cluster has no leader, what one member remembers is
// better than nothing: that is published, and the error returned all the same.
func (r *run) list(ctx context.Context) error {
	err := r.read(clientv3.WithRequireLeader(ctx))
	if err == nil {
		return nil
	}
	if ctx.Err() == nil && !r.mirror.listed() && r.mayBeLeaderless(err) && r.read(ctx, clientv3.WithSerializable()) == nil {
		r.send()
		return fmt.Errorf("listing: %w; using what one member has at revision %d", reason(err), r.mirror.revision)
	}
	return fmt.Errorf("listing: %w", reason(err))
}

// mayBeLeaderless tells whether a member could answer that need not ask others. A
// silence has to repeat itself to count, because the channel should hear of the
// first failure soon.
func (r *run) mayBeLeaderless(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) {
		return r.failures > 1
	}
	var etcd interface{ Code() codes.Code } // what rpctypes makes of an answer
	if errors.As(err, &etcd) {
		return etcd.Code() == codes.Unavailable
	}
	return status.Code(err) == codes.Unavailable
}

// read reads all keys at one revision, a page at a time.
func (r *run) read(ctx context.Context, opts ...clientv3.OpOption) error {
	t := r.mirror.table.renewed()
	end := clientv3.GetPrefixRangeEnd(r.place.prefix)
	var header *etcdserverpb.ResponseHeader
	for from := r.place.prefix; from != ""; {
		resp, err := r.page(ctx, from, end, header, opts)
		if err != nil {
			return err
		}
		if header == nil {
			header = resp.Header
		}
		for _, kv := range resp.Kvs {
			if string(kv.Key) != r.place.configKey {
				t.put(kv)
			}
		}
		from = next(resp)
	}
	config, err := r.readConfig(ctx, header, opts)
	if err != nil {
		return err
	}
	t.logged = nil
	r.mirror.reset(t, config, header)
	return nil
}

// page reads what comes at or after from, at the revision of header if it is not
// nil.
func (r *run) page(ctx context.Context, from, end string, header *etcdserverpb.ResponseHeader, opts []clientv3.OpOption) (*clientv3.GetResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	opts = append([]clientv3.OpOption{clientv3.WithRange(end), clientv3.WithLimit(r.place.page)}, opts...)
	if header != nil {
		opts = append(opts, clientv3.WithRev(header.Revision))
	}
	return r.client.Get(ctx, from, opts...)
}

// next returns where the page after resp begins, "" if there is none.
func next(resp *clientv3.GetResponse) string {
	if !resp.More || len(resp.Kvs) == 0 {
		return ""
	}
	last := resp.Kvs[len(resp.Kvs)-1].Key
	return string(append(bytes.Clone(last), 0)) // the least key above it
}

func (r *run) readConfig(ctx context.Context, header *etcdserverpb.ResponseHeader, opts []clientv3.OpOption) (string, error) {
	if r.place.configKey == "" {
		return "", nil
	}
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	resp, err := r.client.Get(ctx, r.place.configKey, append([]clientv3.OpOption{clientv3.WithRev(header.Revision)}, opts...)...)
	if err != nil || len(resp.Kvs) == 0 {
		return "", err
	}
	return string(resp.Kvs[0].Value), nil
}
