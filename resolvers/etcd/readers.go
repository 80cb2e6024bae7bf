package etcd

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"google.golang.org/grpc/resolver"
)

func (r reader) readEtcd(value []byte) ([]resolver.Endpoint, error) {
	var entry struct {
		Addr     string
		Metadata json.RawMessage
	}
	if err := json.Unmarshal(value, &entry); err != nil {
		return nil, malformedJSON(err)
	}
	if entry.Addr == "" {
		return nil, errors.New(`no "Addr"`)
	}
	return r.one(entry.Addr, entry.Metadata)
}

// readKratos takes the endpoint for gRPC of those that an instance has.
func (r reader) readKratos(value []byte) ([]resolver.Endpoint, error) {
	var entry struct {
		Name      string
		Metadata  json.RawMessage
		Endpoints []string
	}
	if err := json.Unmarshal(value, &entry); err != nil {
		return nil, malformedJSON(err)
	}
	if !belongs(r.prefix, entry.Name) {
		return nil, errForeign
	}
	for _, scheme := range []string{"grpc://", "grpcs://"} {
		for _, e := range entry.Endpoints {
			if !strings.HasPrefix(e, scheme) {
				continue
			}
			u, err := url.Parse(e)
			if err != nil {
				return nil, fmt.Errorf("endpoint %q: want %shost:port", e, scheme)
			}
			return r.one(u.Host, entry.Metadata)
		}
	}
	return nil, fmt.Errorf("endpoints %q: want one that begins with grpc:// or grpcs://", entry.Endpoints)
}

// kitexWeight is what kitex takes for a weight that is not above 0.
const kitexWeight = 10

func readKitex(value []byte) ([]resolver.Endpoint, error) {
	var entry struct {
		Network string
		Address string
		Weight  int64
		Tags    json.RawMessage
	}
	if err := json.Unmarshal(value, &entry); err != nil {
		return nil, malformedJSON(err)
	}
	if entry.Network == "unix" && entry.Address != "" {
		entry.Address = "unix:" + entry.Address
	}
	w := toWeight(entry.Weight)
	if w == 0 {
		w = kitexWeight
	}
	attrs, err := newAttributes(entry.Tags, w)
	if err != nil {
		return nil, err
	}
	return endpoint(entry.Address, attrs)
}

// readGoMicro returns an endpoint for each node.
func (r reader) readGoMicro(value []byte) ([]resolver.Endpoint, error) {
	var entry struct {
		Name  string
		Nodes []struct {
			Address  string
			Metadata json.RawMessage
		}
	}
	if err := json.Unmarshal(value, &entry); err != nil {
		return nil, malformedJSON(err)
	}
	// In keys go-micro writes a "-" for a "/" in the name.
	if !belongs(r.prefix, strings.ReplaceAll(entry.Name, "/", "-")) && !belongs(r.prefix, entry.Name) {
		return nil, errForeign
	}
	var all []resolver.Endpoint
	for _, n := range entry.Nodes {
		e, err := r.one(n.Address, n.Metadata)
		if err != nil {
			return nil, err
		}
		all = append(all, e...)
	}
	if len(all) == 0 {
		return nil, errors.New(`no "nodes"`)
	}
	return all, nil
}
