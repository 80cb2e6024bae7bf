package etcd

import (
	"encoding/json"
	"strings"
	"testing"

	"google.golang.org/grpc/resolver"
)

func TestParseValue(t *testing.T) {
	for _, tt := range []struct{ name, value, addr, metadata string }{
		{"the official format", `{"Op":0,"Addr":"10.0.0.1:9000","Metadata":null}`, "10.0.0.1:9000", ""},
		{"an object as metadata", `{"Op":0,"Addr":"10.0.0.2:9000","Metadata":{"weight":5}}`, "10.0.0.2:9000", `{"weight":5}`},
		{"a string as metadata", `{"Op":0,"Addr":"10.0.0.3:9000","Metadata":"zone-a"}`, "10.0.0.3:9000", `"zone-a"`},
		{"false as metadata", `{"Addr":"a:1","Metadata":false}`, "a:1", `false`},
		{"space in the metadata", `{"Addr":"a:1","Metadata":{ "w" : 5 }}`, "a:1", `{"w":5}`},
		{"no metadata", `{"Addr":"a:1"}`, "a:1", ""},
		{"an operation of any kind", `{"Op":"delete","Addr":"a:1"}`, "a:1", ""},
		{"unknown members", `{"Addr":"a:1","Weight":3,"x":[1]}`, "a:1", ""},
		{"IPv6", `{"Addr":"[::1]:9000"}`, "[::1]:9000", ""},
		{"a named port", `{"Addr":"h:grpc"}`, "h:grpc", ""},
		{"a socket file", `{"Addr":"unix:/run/x.sock"}`, "unix:/run/x.sock", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e, err := parseValue([]byte(tt.value))
			if err != nil {
				t.Fatalf("parseValue(%s): %v", tt.value, err)
			}
			if len(e.Addresses) != 1 || e.Addresses[0].Addr != tt.addr {
				t.Errorf("parseValue(%s) = %v, want %s", tt.value, e.Addresses, tt.addr)
			}
			if e.Addresses[0].Attributes != nil {
				t.Errorf("address attributes = %v: they would replace connections", e.Addresses[0].Attributes)
			}
			got, ok := Metadata(e)
			if string(got) != tt.metadata || ok != (tt.metadata != "") {
				t.Errorf("Metadata = %s, %v, want %s", got, ok, tt.metadata)
			}
		})
	}
}

func TestParseValueRejects(t *testing.T) {
	for _, tt := range []struct{ name, value, want string }{
		{"nothing", ``, `want JSON such as {"Addr":"10.0.0.1:9000"}`},
		{"a bare address", `10.0.0.1:9000`, "want JSON"},
		{"truncated JSON", `{"Addr":"a:1"`, "want JSON"},
		{"JSON of another shape", `[]`, "want JSON"},
		{"two values", `{"Addr":"a:1"}{}`, "want JSON"},
		{"no address", `{"Op":0}`, `no "Addr"`},
		{"null", `null`, `no "Addr"`},
		{"an address that is a number", `{"Addr":1}`, "want JSON"},
		{"no port", `{"Addr":"10.0.0.1"}`, `"Addr" "10.0.0.1": want host:port`},
		{"an empty port", `{"Addr":"10.0.0.1:"}`, "want host:port"},
		{"IPv6 without brackets", `{"Addr":"::1:9000"}`, "want host:port"},
		{"no socket file", `{"Addr":"unix:"}`, "want host:port"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parseValue([]byte(tt.value))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("parseValue(%s) = %v, want %s", tt.value, err, tt.want)
			}
		})
	}
}

func TestMetadataOfForeignEndpoints(t *testing.T) {
	if got, ok := Metadata(resolver.Endpoint{}); ok || got != nil {
		t.Errorf("Metadata of an endpoint without attributes = %s, %v, want none", got, ok)
	}
}

func TestMetadataIsTheCallersOwn(t *testing.T) {
	e, err := parseValue([]byte(`{"Addr":"a:1","Metadata":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	first, _ := Metadata(e)
	first[1] = 'y'
	if second, _ := Metadata(e); string(second) != `"x"` {
		t.Errorf("Metadata after a change of an earlier result = %s, want %q", second, "x")
	}
}

func TestMetadataCompares(t *testing.T) {
	parse := func(metadata string) resolver.Endpoint {
		t.Helper()
		e, err := parseValue([]byte(`{"Addr":"a:1","Metadata":` + metadata + `}`))
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	for _, tt := range []struct {
		name, a, b string
		want       bool
	}{
		{"same object", `{"a":[1,{}]}`, `{"a":[1,{}]}`, true},
		{"other space", `{"a":[1,{}]}`, `{ "a": [1, {}] }`, true},
		{"other value", `{"a":1}`, `{"a":2}`, false},
		{"none", `null`, `{"a":2}`, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := parse(tt.a).Attributes.Equal(parse(tt.b).Attributes); got != tt.want {
				t.Errorf("attributes of %s and %s equal = %v, want %v", tt.a, tt.b, got, tt.want)
			}
		})
	}
}

// FuzzParseValue checks that what parseValue accepts means the same when the
// official package writes it.
func FuzzParseValue(f *testing.F) {
	f.Fuzz(func(t *testing.T, value []byte) {
		e, err := parseValue(value)
		if err != nil {
			return
		}
		entry := struct {
			Op       int
			Addr     string
			Metadata any
		}{Addr: e.Addresses[0].Addr}
		if m, ok := Metadata(e); ok {
			entry.Metadata = m
		}
		written, err := json.Marshal(entry)
		if err != nil {
			t.Fatalf("parseValue(%q): Metadata is not JSON: %v", value, err)
		}
		again, err := parseValue(written)
		if err != nil {
			t.Fatalf("parseValue(%q) accepted, but not %s: %v", value, written, err)
		}
		if !e.Addresses[0].Equal(again.Addresses[0]) {
			t.Errorf("parseValue(%q) = %v, but of %s it is %v", value, e, written, again)
		}
	})
}
