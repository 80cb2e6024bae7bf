package etcd

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/grpc/attributes"
	"google.golang.org/grpc/resolver"
)

// format is how the value of a key is written.
type format int

const (
	formatAuto   format = iota // each value tells
	formatEtcd                 // go.etcd.io/etcd/client/v3/naming/endpoints
	formatGoZero               // a bare address
	formatKratos
	formatKitex
	formatGoMicro
)

// formatNames are the values of the parameter format.
var formatNames = []string{"auto", "etcd", "go-zero", "kratos", "kitex", "go-micro"}

func (f format) String() string { return formatNames[f] }

// errForeign is for a value that belongs to another service.
var errForeign = errors.New("an entry of another service")

// reader reads the values under one prefix.
type reader struct {
	format format
	prefix string

	// attrs has what was made of a metadata: most services have few of them. nil
	// means that each is made anew.
	attrs map[string]*attributes.Attributes
}

// read returns the endpoints in a value: most formats have one. The error is
// errForeign or says what is wrong.
func (r reader) read(value []byte) ([]resolver.Endpoint, error) {
	f := r.format
	if f == formatAuto {
		var err error
		if f, err = detect(value); err != nil {
			return nil, err
		}
	}
	switch f {
	case formatGoZero:
		return r.one(string(value), nil)
	case formatKratos:
		return r.readKratos(value)
	case formatKitex:
		return readKitex(value)
	case formatGoMicro:
		return r.readGoMicro(value)
	default:
		return r.readEtcd(value)
	}
}

// officialStart begins what the official package writes, and nothing else.
var officialStart = []byte(`{"Op":`)

// detect tells the format by the members that the others do not have.
func detect(value []byte) (format, error) {
	if !bytes.HasPrefix(bytes.TrimLeft(value, " \t\r\n"), []byte("{")) {
		return formatGoZero, nil
	}
	if bytes.HasPrefix(value, officialStart) {
		return formatEtcd, nil
	}
	var has struct{ Addr, Nodes, Endpoints, Address json.RawMessage }
	if err := json.Unmarshal(value, &has); err != nil {
		return 0, malformedJSON(err)
	}
	switch {
	case has.Addr != nil:
		return formatEtcd, nil
	case isSet(has.Nodes):
		return formatGoMicro, nil
	case isSet(has.Endpoints):
		return formatKratos, nil
	case has.Address != nil:
		return formatKitex, nil
	}
	return 0, errors.New(`no "Addr", "nodes", "endpoints" or "address"`)
}

// isSet tells whether a member is there and not null.
func isSet(m json.RawMessage) bool { return len(m) > 0 && string(m) != "null" }

func malformedJSON(err error) error {
	return fmt.Errorf(`want JSON such as {"Addr":"10.0.0.1:9000"}, or host:port: %w`, err)
}

// belongs tells whether the keys under prefix are those of the named service. A
// value without a name is believed.
func belongs(prefix, name string) bool {
	prefix = strings.TrimRight(prefix, "/")
	return name == "" || prefix == name || strings.HasSuffix(prefix, "/"+name)
}
