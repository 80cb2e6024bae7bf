package etcd

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc/attributes"
	"google.golang.org/grpc/experimental/balancer/weight"
	"google.golang.org/grpc/resolver"
)

// What the programs that register in a format write, byte for byte.
const (
	officialPlain = `{"Op":0,"Addr":"10.0.0.1:9000","Metadata":null}`
	officialMeta  = `{"Op":0,"Addr":"10.0.0.2:9000","Metadata":{"weight":5}}`
	officialText  = `{"Op":0,"Addr":"10.0.0.3:9000","Metadata":"zone-a"}`
	goZero1       = `10.0.0.1:8080`
	kratos1       = `{"id":"6f9a7c1e-1d2b-11ef-9a5b-0242ac120002","name":"helloworld","version":"v1.0.0","metadata":{"weight":"10"},"endpoints":["grpc://10.0.0.1:9000","http://10.0.0.1:8000"]}`
	kitex1        = `{"network":"tcp","address":"10.0.0.1:8888","weight":10,"tags":{"zone":"a"}}`
	goMicro1      = `{"name":"helloworld","version":"latest","metadata":{},"endpoints":null,"nodes":[{"metadata":{"transport":"grpc"},"id":"helloworld-6f9a7c1e","address":"10.0.0.1:9000"}]}`
)

// shownEndpoint is an endpoint as text: address, weight, metadata.
func shownEndpoint(e resolver.Endpoint) string {
	s := e.Addresses[0].Addr
	if w, ok := Weight(e); ok {
		s += " w" + jsonOf(w)
	}
	if m, ok := Metadata(e); ok {
		s += " " + string(m)
	}
	return s
}

func jsonOf(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func shownEndpoints(list []resolver.Endpoint) string {
	var all []string
	for _, e := range list {
		all = append(all, shownEndpoint(e))
	}
	return strings.Join(all, " | ")
}

func TestRead(t *testing.T) {
	const etcd, goZero, kratos, kitex, goMicro = formatEtcd, formatGoZero, formatKratos, formatKitex, formatGoMicro
	for _, tt := range []struct {
		name   string
		format format // that the value is in
		value  string
		want   string
	}{
		{"the official format", etcd, officialPlain, "10.0.0.1:9000"},
		{"an object as metadata", etcd, officialMeta, `10.0.0.2:9000 w5 {"weight":5}`},
		{"a string as metadata", etcd, officialText, `10.0.0.3:9000 "zone-a"`},
		{"false as metadata", etcd, `{"Addr":"a:1","Metadata":false}`, "a:1 false"},
		{"space in the metadata", etcd, ` {"Addr":"a:1","Metadata":{ "w" : 5 }}`, `a:1 {"w":5}`},
		{"no metadata", etcd, `{"Addr":"a:1"}`, "a:1"},
		{"an operation of any kind", etcd, `{"Op":"delete","Addr":"a:1"}`, "a:1"},
		{"unknown members", etcd, `{"Addr":"a:1","Weight":3,"x":[1],"nodes":7}`, "a:1"},
		{"IPv6", etcd, `{"Addr":"[::1]:9000"}`, "[::1]:9000"},
		{"a named port", etcd, `{"Addr":"h:grpc"}`, "h:grpc"},
		{"a socket file", etcd, `{"Addr":"unix:/run/x.sock"}`, "unix:/run/x.sock"},
		{"a weight as text", etcd, `{"Addr":"a:1","Metadata":{"weight":"7"}}`, `a:1 w7 {"weight":"7"}`},
		{"a weight that is none", etcd, `{"Addr":"a:1","Metadata":{"weight":-7}}`, `a:1 {"weight":-7}`},
		{"a weight that is too large", etcd, `{"Addr":"a:1","Metadata":{"weight":4294967296}}`, `a:1 {"weight":4294967296}`},

		{"go-zero", goZero, goZero1, "10.0.0.1:8080"},

		{"kratos", kratos, kratos1, `10.0.0.1:9000 w10 {"weight":"10"}`},
		{"gRPC behind another protocol", kratos, `{"name":"helloworld","endpoints":["http://a:1","grpc://a:2?isSecure=false"]}`, "a:2"},
		{"gRPC with TLS only", kratos, `{"name":"helloworld","endpoints":["http://a:1","grpcs://a:2"]}`, "a:2"},
		{"gRPC with and without TLS", kratos, `{"name":"helloworld","endpoints":["grpcs://a:2","grpc://a:1"]}`, "a:1"},
		{"no name", kratos, `{"endpoints":["grpc://[::1]:1"]}`, "[::1]:1"},

		{"kitex", kitex, kitex1, `10.0.0.1:8888 w10 {"zone":"a"}`},
		{"kitex without weight", kitex, `{"network":"tcp","address":"a:1","weight":0,"tags":null}`, "a:1 w10"},
		{"a weight below 0", kitex, `{"network":"tcp","address":"a:1","weight":-3}`, "a:1 w10"},
		{"kitex on a socket file", kitex, `{"network":"unix","address":"/run/x","weight":1}`, "unix:/run/x w1"},

		{"go-micro", goMicro, goMicro1, `10.0.0.1:9000 {"transport":"grpc"}`},
		{"two nodes", goMicro, `{"name":"helloworld","nodes":[{"address":"a:1"},{"address":"b:2","metadata":{"weight":"3"}}]}`, `a:1 | b:2 w3 {"weight":"3"}`},
	} {
		for _, f := range []format{tt.format, formatAuto} {
			t.Run(tt.name+"/"+f.String(), func(t *testing.T) {
				list, err := reader{format: f, prefix: "/micro/registry/helloworld/"}.read([]byte(tt.value))
				if err != nil {
					t.Fatalf("read(%s): %v", tt.value, err)
				}
				if got := shownEndpoints(list); got != tt.want {
					t.Errorf("read(%s) = %s, want %s", tt.value, got, tt.want)
				}
				for _, e := range list {
					if e.Addresses[0].Attributes != nil {
						t.Errorf("address attributes = %v: they would replace connections", e.Addresses[0].Attributes)
					}
				}
			})
		}
	}
}

func TestReadRejects(t *testing.T) {
	for _, tt := range []struct {
		name   string
		format format
		value  string
		want   string
	}{
		{"nothing", formatAuto, ``, "no address"},
		{"garbage", formatAuto, "\x00\xff", "want host:port"},
		{"a long text", formatAuto, strings.Repeat("x", 1000), `xxx..."`},
		{"space around a bare address", formatAuto, "10.0.0.1:1\n", "want host:port"},
		{"truncated JSON", formatAuto, `{"Addr":"a:1"`, `want JSON such as {"Addr":"10.0.0.1:9000"}, or host:port`},
		{"JSON of another shape", formatAuto, `[]`, "want host:port"},
		{"two values", formatAuto, `{"Addr":"a:1"}{}`, "want JSON"},
		{"JSON of nobody", formatAuto, `{"op":0}`, `no "Addr", "nodes", "endpoints" or "address"`},
		{"a bare address", formatEtcd, `10.0.0.1:9000`, "want JSON"},
		{"no address", formatEtcd, `{"Op":0}`, `no "Addr"`},
		{"null", formatEtcd, `null`, `no "Addr"`},
		{"an address that is a number", formatAuto, `{"Addr":1}`, "want JSON"},
		{"no port", formatAuto, `{"Addr":"10.0.0.1"}`, `address "10.0.0.1": want host:port`},
		{"an empty port", formatAuto, `{"Addr":"10.0.0.1:"}`, "want host:port"},
		{"IPv6 without brackets", formatAuto, `{"Addr":"::1:9000"}`, "want host:port"},
		{"no socket file", formatAuto, `{"Addr":"unix:"}`, "want host:port"},
		{"JSON for go-zero", formatGoZero, officialPlain, "want host:port"},
		{"no gRPC", formatAuto, `{"name":"helloworld","endpoints":["http://a:1"]}`, `endpoints ["http://a:1"]: want one that begins with grpc:// or grpcs://`},
		{"gRPC without a port", formatAuto, `{"name":"helloworld","endpoints":["grpc://a"]}`, "want host:port"},
		{"gRPC at an address that is none", formatAuto, `{"name":"helloworld","endpoints":["grpc://%zz:1"]}`, "want grpc://host:port"},
		{"a weight that is text", formatAuto, `{"address":"a:1","weight":"x"}`, "want JSON"},
		{"no node", formatAuto, `{"name":"helloworld","nodes":[]}`, `no "nodes"`},
		{"one of two nodes without address", formatAuto, `{"name":"helloworld","nodes":[{"address":"a:1"},{}]}`, "no address"},
		{"kratos for go-micro", formatGoMicro, kratos1, `no "nodes"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			list, err := reader{format: tt.format, prefix: "helloworld/"}.read([]byte(tt.value))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("read(%s) = %v, %v, want %s", tt.value, list, err, tt.want)
			}
		})
	}
}

func TestEntriesOfOtherServices(t *testing.T) {
	for _, tt := range []struct {
		prefix, name string
		foreign      bool
	}{
		{"/microservices/user/", "user", false},
		{"user/", "user", false},
		{"/microservices/user/v1/", "user/v1", false},
		{"/microservices/user/", "user/v1", true},
		{"/microservices/user/", "ser", true},
		{"/microservices/user/", "microservices", true},
	} {
		for _, value := range []string{
			`{"name":"` + tt.name + `","endpoints":["grpc://a:1"]}`,
			`{"name":"` + tt.name + `","nodes":[{"address":"a:1"}]}`,
		} {
			_, err := reader{prefix: tt.prefix}.read([]byte(value))
			if errors.Is(err, errForeign) != tt.foreign || (err != nil) != tt.foreign {
				t.Errorf("read(%s) under %s: %v, want foreign %v", value, tt.prefix, err, tt.foreign)
			}
		}
	}
	// In its keys go-micro writes a dash for a slash.
	if _, err := (reader{prefix: "/micro/registry/a-b/"}).read([]byte(`{"name":"a/b","nodes":[{"address":"a:1"}]}`)); err != nil {
		t.Errorf("a service of go-micro with a slash in its name: %v", err)
	}
}

func TestAccessorsOfForeignEndpoints(t *testing.T) {
	if got, ok := Metadata(resolver.Endpoint{}); ok || got != nil {
		t.Errorf("Metadata of an endpoint without attributes = %s, %v, want none", got, ok)
	}
	if got, ok := Weight(resolver.Endpoint{}); ok || got != 0 {
		t.Errorf("Weight of an endpoint without attributes = %d, %v, want none", got, ok)
	}
}

func readOne(t *testing.T, value string) resolver.Endpoint {
	t.Helper()
	list, err := reader{}.read([]byte(value))
	if err != nil || len(list) != 1 {
		t.Fatalf("read(%s) = %v, %v, want one endpoint", value, list, err)
	}
	return list[0]
}

func TestPoliciesFindTheWeight(t *testing.T) {
	if got := weight.FromEndpoint(readOne(t, officialMeta)).Weight; got != 5 {
		t.Errorf("weight = %d, want 5", got)
	}
}

func TestMetadataIsTheCallersOwn(t *testing.T) {
	e := readOne(t, `{"Addr":"a:1","Metadata":"x"}`)
	first, _ := Metadata(e)
	first[1] = 'y'
	if second, _ := Metadata(e); string(second) != `"x"` {
		t.Errorf("Metadata after a change of an earlier result = %s, want %q", second, "x")
	}
}

func TestMetadataCompares(t *testing.T) {
	parse := func(metadata string) resolver.Endpoint {
		t.Helper()
		return readOne(t, `{"Addr":"a:1","Metadata":`+metadata+`}`)
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

func TestEqualMetadataIsKeptOnce(t *testing.T) {
	r := reader{attrs: make(map[string]*attributes.Attributes)}
	read := func(value string) *attributes.Attributes {
		t.Helper()
		list, err := r.read([]byte(value))
		if err != nil {
			t.Fatal(err)
		}
		return list[0].Attributes
	}
	first := read(officialMeta)
	if again := read(officialMeta); again != first {
		t.Errorf("attributes of the same metadata: %p and %p, want one", first, again)
	}
	for i := range 3 * maxAttrs {
		read(fmt.Sprintf(`{"Addr":"a:1","Metadata":%d}`, i))
	}
	if n := len(r.attrs); n > maxAttrs {
		t.Errorf("attributes that are remembered: %d, want %d at most", n, maxAttrs)
	}
	if again := read(officialMeta); !again.Equal(first) {
		t.Errorf("attributes after they were forgotten: %v, want %v", again, first)
	}
}

// FuzzRead checks that what read accepts in any format means the same when the
// official package writes it.
func FuzzRead(f *testing.F) {
	for i := range formatNames {
		for _, value := range []string{officialPlain, officialMeta, officialText, goZero1, kratos1, kitex1, goMicro1} {
			f.Add(i, []byte(value))
		}
	}
	f.Fuzz(func(t *testing.T, i int, value []byte) {
		if i < 0 || i >= len(formatNames) {
			t.Skip("there is no such format: ", i)
		}
		list, err := reader{format: format(i), prefix: "helloworld/"}.read(value)
		if err != nil {
			return
		}
		if len(list) == 0 {
			t.Fatalf("read(%q) has no endpoint and no error", value)
		}
		for _, e := range list {
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
				t.Fatalf("read(%q): Metadata is not JSON: %v", value, err)
			}
			again := readOne(t, string(written))
			if validUTF8(e) && !e.Addresses[0].Equal(again.Addresses[0]) {
				t.Errorf("read(%q) = %v, but of %s it is %v", value, e, written, again)
			}
		}
	})
}

// validUTF8 tells whether JSON can hold the address of e.
func validUTF8(e resolver.Endpoint) bool {
	return strings.ToValidUTF8(e.Addresses[0].Addr, "") == e.Addresses[0].Addr
}

// BenchmarkRead is most of what it costs to follow a key.
func BenchmarkRead(b *testing.B) {
	for name, value := range map[string]string{
		"etcd": officialPlain, "etcd-weight": officialMeta, "go-zero": goZero1, "kratos": kratos1, "kitex": kitex1, "go-micro": goMicro1,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := (reader{prefix: "helloworld/"}).read([]byte(value)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
