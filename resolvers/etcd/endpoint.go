package etcd

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net"
	"strconv"
	"strings"

	"google.golang.org/grpc/attributes"
	"google.golang.org/grpc/experimental/balancer/weight"
	"google.golang.org/grpc/resolver"
)

// metadataKey is the endpoint attribute that holds a metadata.
type metadataKey struct{}

func (metadataKey) String() string { return "etcd.Metadata" }

// metadata is compact JSON. As a string it can be compared, which attributes
// require of their values, and cannot be changed.
type metadata string

func (m metadata) String() string { return string(m) }

// Metadata returns the metadata of an endpoint's entry, as JSON without
// insignificant space: what is under "Metadata", or "tags" if kitex wrote it. It
// returns false if e did not come from this resolver, or its entry has no
// metadata or null. The caller owns the result.
func Metadata(e resolver.Endpoint) (json.RawMessage, bool) {
	m, ok := e.Attributes.Value(metadataKey{}).(metadata)
	if !ok {
		return nil, false
	}
	return json.RawMessage(m), true
}

// Weight returns the weight of an endpoint's entry: the member "weight" of the
// metadata, a positive integer or a string of one, or that of a kitex entry. It
// returns false if there is none. Policies read the same with FromEndpoint of the
// package google.golang.org/grpc/experimental/balancer/weight.
func Weight(e resolver.Endpoint) (uint32, bool) {
	w := weight.FromEndpoint(e).Weight
	return w, w > 0
}

// one makes the endpoint of an address, in a slice for those who return several.
// A weight of 0 is none.
func one(addr string, meta json.RawMessage, w uint32) ([]resolver.Endpoint, error) {
	if err := checkAddr(addr); err != nil {
		return nil, err
	}
	e := resolver.Endpoint{Addresses: []resolver.Address{{Addr: addr}}}
	if isSet(meta) {
		var compact bytes.Buffer
		if err := json.Compact(&compact, meta); err != nil {
			return nil, fmt.Errorf("metadata: %w", err)
		}
		e.Attributes = attributes.New(metadataKey{}, metadata(compact.String()))
	}
	if w > 0 {
		e = weight.Set(e, weight.EndpointInfo{Weight: w})
	}
	return []resolver.Endpoint{e}, nil
}

// weightIn returns the weight in a metadata, 0 if there is none.
func weightIn(meta json.RawMessage) uint32 {
	if len(meta) == 0 || meta[0] != '{' {
		return 0
	}
	var has struct{ Weight json.RawMessage }
	if json.Unmarshal(meta, &has) != nil {
		return 0
	}
	n, err := strconv.ParseInt(strings.Trim(string(has.Weight), `"`), 10, 64)
	if err != nil {
		return 0
	}
	return toWeight(n)
}

// toWeight returns 0 for what cannot be a weight.
func toWeight(n int64) uint32 {
	if n < 0 || n > math.MaxUint32 {
		return 0
	}
	return uint32(n)
}

// checkAddr accepts what grpc can dial without asking anyone for a port.
func checkAddr(addr string) error {
	if addr == "" {
		return errors.New("no address")
	}
	if path, ok := strings.CutPrefix(addr, "unix:"); ok && path != "" {
		return nil
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil || port == "" || strings.ContainsAny(host+port, " \t\r\n\x00") {
		return fmt.Errorf("address %q: want host:port", short(addr))
	}
	return nil
}

// short is for a value that may be anything.
func short(s string) string {
	const most = 100
	if len(s) <= most {
		return s
	}
	return s[:most] + "..."
}
