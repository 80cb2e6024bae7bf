package etcd

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

const (
	defaultTTL       = 10 * time.Second
	defaultDrainWait = time.Second
)

// Registration is the entry of one server.
type Registration struct {
	// Prefix is the key prefix that targets name, such as "services/payments".
	Prefix string

	// ID tells the entry from others under the prefix: the key is Prefix/ID. The
	// default is Addr, so that a server that was started again takes over the
	// entry that it left behind.
	ID string

	// Addr is where clients reach the server: host:port or unix:path.
	Addr string

	// Metadata is anything that encoding/json can write. Resolvers pass it on;
	// this package's has it in [Metadata].
	Metadata any

	// Weight, if not 0, is written as the member "weight" of Metadata, which must
	// then be nil or become a JSON object.
	Weight uint32

	// TTL is how long the entry outlives a server that has crashed or cannot
	// reach etcd: 1 s or more, in whole seconds, rounded up. The default is 10 s.
	TTL time.Duration

	// DrainWait is how long Drain waits after the entry is gone, for clients to
	// notice. The default is 1 s; negative means not at all.
	DrainWait time.Duration

	// Encode makes the value of the key. The default writes what the package
	// go.etcd.io/etcd/client/v3/naming/endpoints does. It must depend on its
	// argument only.
	Encode func(Entry) ([]byte, error)

	// OnStatus, if not nil, is called on each change of the status, one call at a
	// time, from a goroutine of the registrar, which waits for it.
	OnStatus func(Status)
}

// Entry is the part of a registration that clients see.
type Entry struct {
	Addr     string
	Metadata any
	Weight   uint32
}

// State is how far a registration has come.
type State int

const (
	// Registering means that the entry has not been written yet.
	Registering State = iota
	// Registered means that the entry is there, as far as anyone can know: etcd
	// has confirmed it, and has kept confirming the lease since.
	Registered
	// Retrying means that the entry is not there, may not be, or is not up to
	// date, for the reason in the status. It is being written again.
	Retrying
	// Draining means that the entry is being removed.
	Draining
	// Stopped means that the registrar has ended, and will do nothing more.
	Stopped
)

var stateNames = []string{"registering", "registered", "retrying", "draining", "stopped"}

// String returns the name in lower case.
func (s State) String() string { return stateNames[s] }

// Status is what a registrar knows of its entry.
type Status struct {
	State State

	// Err is why the last attempt did not work; nil while all is well.
	Err error

	// Lease is that of the entry, 0 if there is none.
	Lease clientv3.LeaseID
}

// complete checks a registration and fills in the defaults.
func (reg Registration) complete() (Registration, error) {
	reg.Prefix = strings.TrimRight(reg.Prefix, "/")
	if reg.Prefix == "" {
		return reg, errors.New("no prefix; want e.g. services/payments")
	}
	if err := checkAddr(reg.Addr); err != nil {
		return reg, err
	}
	if reg.ID == "" {
		reg.ID = reg.Addr
	}
	if reg.TTL == 0 {
		reg.TTL = defaultTTL
	}
	if reg.TTL < time.Second {
		return reg, fmt.Errorf("TTL %v: want 1s or more", reg.TTL)
	}
	if reg.DrainWait == 0 {
		reg.DrainWait = defaultDrainWait
	}
	if reg.Encode == nil {
		reg.Encode = encode
	}
	return reg, nil
}

// seconds is a TTL as etcd wants it.
func seconds(ttl time.Duration) int64 { return int64((ttl + time.Second - 1) / time.Second) }

func (reg Registration) key() string { return reg.Prefix + "/" + reg.ID }

// value returns what the key is to hold.
func (reg Registration) value() (string, error) {
	value, err := reg.Encode(Entry{Addr: reg.Addr, Metadata: reg.Metadata, Weight: reg.Weight})
	return string(value), err
}

// encode writes an entry of the package naming/endpoints.
func encode(e Entry) ([]byte, error) {
	meta, err := withWeight(e.Metadata, e.Weight)
	if err != nil {
		return nil, err
	}
	return json.Marshal(struct {
		Op       int
		Addr     string
		Metadata json.RawMessage
	}{Addr: e.Addr, Metadata: meta})
}

// withWeight returns metadata as JSON, with a weight that is not 0 in it.
func withWeight(metadata any, weight uint32) (json.RawMessage, error) {
	meta, err := json.Marshal(metadata)
	if err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	if weight == 0 {
		return meta, nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(meta, &members); err != nil {
		return nil, fmt.Errorf("metadata %s: want a JSON object, to put the weight into", meta)
	}
	if members == nil {
		members = make(map[string]json.RawMessage)
	}
	members["weight"] = fmt.Append(nil, weight)
	return json.Marshal(members)
}
