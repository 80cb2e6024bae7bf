package etcd

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"

	"google.golang.org/grpc/attributes"
	"google.golang.org/grpc/resolver"
)

// metadataKey is the endpoint attribute that holds a metadata.
type metadataKey struct{}

func (metadataKey) String() string { return "etcd.Metadata" }

// metadata is compact JSON. As a string it can be compared, which attributes
// require of their values, and cannot be changed.
type metadata string

func (m metadata) String() string { return string(m) }

// Metadata returns what the entry of an endpoint has under "Metadata", as JSON
// without insignificant space. It returns false if e did not come from this
// resolver, or its entry has no metadata or null. The caller owns the result.
func Metadata(e resolver.Endpoint) (json.RawMessage, bool) {
	m, ok := e.Attributes.Value(metadataKey{}).(metadata)
	if !ok {
		return nil, false
	}
	return json.RawMessage(m), true
}

// parseValue reads the value of one key: an endpoint of the package
// naming/endpoints.
func parseValue(value []byte) (resolver.Endpoint, error) {
	var entry struct {
		Addr     string
		Metadata json.RawMessage
	}
	if err := json.Unmarshal(value, &entry); err != nil {
		return resolver.Endpoint{}, fmt.Errorf(`want JSON such as {"Addr":"10.0.0.1:9000"}: %w`, err)
	}
	if err := checkAddr(entry.Addr); err != nil {
		return resolver.Endpoint{}, err
	}
	e := resolver.Endpoint{Addresses: []resolver.Address{{Addr: entry.Addr}}}
	if len(entry.Metadata) > 0 && string(entry.Metadata) != "null" {
		var compact bytes.Buffer
		if err := json.Compact(&compact, entry.Metadata); err != nil {
			return resolver.Endpoint{}, fmt.Errorf("metadata: %w", err)
		}
		e.Attributes = attributes.New(metadataKey{}, metadata(compact.String()))
	}
	return e, nil
}

// checkAddr accepts what grpc can dial without asking anyone for a port.
func checkAddr(addr string) error {
	if addr == "" {
		return errors.New(`no "Addr"`)
	}
	if path, ok := strings.CutPrefix(addr, "unix:"); ok && path != "" {
		return nil
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil || port == "" {
		return fmt.Errorf(`"Addr" %q: want host:port`, addr)
	}
	return nil
}
