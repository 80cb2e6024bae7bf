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
//
// A policy that gets addresses instead of endpoints passes
// resolver.Endpoint{Attributes: address.BalancerAttributes}, here and to [Weight].
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

// maxAttrs bounds how many attributes are remembered.
const maxAttrs = 1000

// one makes the endpoint of an address whose weight is in its metadata, if
// anywhere.
func (r reader) one(addr string, meta json.RawMessage) ([]resolver.Endpoint, error) {
	if attrs, ok := r.attrs[string(meta)]; ok {
		return endpoint(addr, attrs)
	}
	attrs, err := newAttributes(meta, weightIn(meta))
	if err != nil {
		return nil, err
	}
	if r.attrs != nil {
		if len(r.attrs) == maxAttrs {
			clear(r.attrs)
		}
		r.attrs[string(meta)] = attrs
	}
	return endpoint(addr, attrs)
}

// endpoint is in a slice because some values have several.
func endpoint(addr string, attrs *attributes.Attributes) ([]resolver.Endpoint, error) {
	if err := checkAddr(addr); err != nil {
		return nil, err
	}
	return []resolver.Endpoint{{Addresses: []resolver.Address{{Addr: addr}}, Attributes: attrs}}, nil
}

// newAttributes returns nil if there is neither metadata nor a weight above 0.
func newAttributes(meta json.RawMessage, w uint32) (*attributes.Attributes, error) {
	var e resolver.Endpoint
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
	return e.Attributes, nil
}

// weightIn returns the weight in a metadata, 0 if there is none.
func weightIn(meta json.RawMessage) uint32 {
	if len(meta) == 0 || meta[0] != '{' || !bytes.Contains(meta, []byte(`"weight"`)) {
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
