package consul

import (
	"encoding/json"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/hashicorp/consul/api"
)

func TestAddress(t *testing.T) {
	for _, tt := range []struct {
		name, entry, which, want string
	}{
		{"the service's", `{"Node":{"Address":"10.0.0.9"},"Service":{"Address":"10.0.0.1","Port":80}}`, "", "10.0.0.1:80"},
		{"the node's", `{"Node":{"Address":"10.0.0.9"},"Service":{"Port":80}}`, "", "10.0.0.9:80"},
		{"IPv6", `{"Node":{},"Service":{"Address":"::1","Port":80}}`, "", "[::1]:80"},
		{"IPv6 in brackets", `{"Node":{},"Service":{"Address":"[fe80::1]","Port":80}}`, "", "[fe80::1]:80"},
		{"IPv6 of the node", `{"Node":{"Address":"fe80::1%eth0"},"Service":{"Port":80}}`, "", "[fe80::1%eth0]:80"},
		{"a host name", `{"Node":{},"Service":{"Address":"b.example.com","Port":80}}`, "", "b.example.com:80"},
		{"the default of several ports", `{"Node":{},"Service":{"Address":"a","Ports":[{"Name":"x","Port":1},{"Name":"y","Port":2,"Default":true}]}}`, "", "a:2"},
		{"a Unix socket", `{"Node":{"Address":"10.0.0.9"},"Service":{"SocketPath":"/run/x.sock"}}`, "", "unix:/run/x.sock"},
		{"no port", `{"Node":{"Address":"10.0.0.9"},"Service":{"Address":"10.0.0.1"}}`, "", "port 0: want 1 to 65535"},
		{"a port too high", `{"Node":{},"Service":{"Address":"10.0.0.1","Port":65536}}`, "", "port 65536: want 1 to 65535"},
		{"no address", `{"Node":{},"Service":{"Port":80}}`, "", "no address"},

		{"kratos", `{"Node":{},"Service":{"Address":"10.0.0.1","Port":8000,"TaggedAddresses":{"http":{"Address":"http://10.0.0.1:8000","Port":8000},"grpc":{"Address":"grpc://10.0.0.1:9000","Port":9000}}}}`, "", "10.0.0.1:9000"},
		{"kratos with TLS and IPv6", `{"Node":{},"Service":{"Address":"::1","Port":8000,"TaggedAddresses":{"grpc":{"Address":"grpcs://[::1]:9000?isSecure=true"}}}}`, "", "[::1]:9000"},
		{"kratos, by name", `{"Node":{},"Service":{"Address":"::1","Port":8000,"TaggedAddresses":{"grpc":{"Address":"grpc://[::1]:9000"}}}}`, "grpc", "[::1]:9000"},
		{"kratos without a port", `{"Node":{},"Service":{"Address":"a","Port":1,"TaggedAddresses":{"grpc":{"Address":"grpc://a"}}}}`, "", `tagged address "grpc://a": no port`},
		{"kratos with another protocol", `{"Node":{},"Service":{"Address":"a","Port":1,"TaggedAddresses":{"grpc":{"Address":"http://a:1"}}}}`, "", `tagged address "http://a:1": want grpc://host:port`},
		{"a grpc address that is no URL", `{"Node":{},"Service":{"Address":"a","Port":1,"TaggedAddresses":{"grpc":{"Address":"b","Port":2}}}}`, "", "a:1"},

		{"wan", `{"Node":{},"Service":{"Address":"10.0.0.1","Port":80,"TaggedAddresses":{"wan":{"Address":"192.0.2.1","Port":8080}}}}`, "wan", "192.0.2.1:8080"},
		{"wan without a port", `{"Node":{},"Service":{"Address":"10.0.0.1","Port":80,"TaggedAddresses":{"wan":{"Address":"192.0.2.1"}}}}`, "wan", "192.0.2.1:80"},
		{"wan of the node", `{"Node":{"Address":"10.0.0.9","TaggedAddresses":{"wan":"192.0.2.9"}},"Service":{"Port":80}}`, "wan", "192.0.2.9:80"},
		{"wan of the node, which is not the service's", `{"Node":{"TaggedAddresses":{"wan":"192.0.2.9"}},"Service":{"Address":"10.0.0.1","Port":80}}`, "wan", "10.0.0.1:80"},
		{"no wan", `{"Node":{"Address":"10.0.0.9"},"Service":{"Port":80}}`, "wan", "10.0.0.9:80"},
		{"lan", `{"Node":{"TaggedAddresses":{"lan":"10.0.0.9"}},"Service":{"Port":80}}`, "lan", "10.0.0.9:80"},
		{"a name of one's own", `{"Node":{},"Service":{"Address":"a","Port":1,"TaggedAddresses":{"admin":{"Address":"b","Port":2}}}}`, "admin", "b:2"},
		{"a name that is missing", `{"Node":{"Address":"10.0.0.9"},"Service":{"Port":80}}`, "admin", `no tagged address "admin"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := address(decode(t, tt.entry), tt.which)
			if err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("address = %s, want %s", got, tt.want)
			}
		})
	}
}

func decode(t *testing.T, entry string) *api.ServiceEntry {
	t.Helper()
	var e api.ServiceEntry
	if err := json.Unmarshal([]byte(entry), &e); err != nil {
		t.Fatal(err)
	}
	return &e
}

// FuzzAddress feeds the chooser whatever JSON decodes into an instance.
func FuzzAddress(f *testing.F) {
	f.Fuzz(func(t *testing.T, entry []byte, which string) {
		var e *api.ServiceEntry
		if json.Unmarshal(entry, &e) != nil {
			return
		}
		c := &chooser{query: &query{health: critical, addr: which, limit: 1}}
		s := c.choose(answer{entries: []*api.ServiceEntry{e, e}})
		if len(s.Endpoints) == 0 {
			if s.Detail == "" {
				t.Error("no endpoint, and no reason")
			}
			return
		}
		addr := s.Endpoints[0].Addresses[0].Addr
		if strings.HasPrefix(addr, "unix:") {
			return
		}
		host, port, err := net.SplitHostPort(addr)
		if n, _ := strconv.Atoi(port); err != nil || host == "" || n < 1 || n > 65535 {
			t.Errorf("address %q: want host:port", addr)
		}
		i, ok := InstanceOf(s.Endpoints[0])
		if !ok || !s.Endpoints[0].Attributes.Equal(s.Endpoints[0].Attributes) || i.Status == "" && e.Checks.AggregatedStatus() != "" {
			t.Errorf("instance of an endpoint: %+v, %t", i, ok)
		}
	})
}
