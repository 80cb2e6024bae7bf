package etcd

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/evenkeel-grpc/evenkeel/internal/nearest"
)

// named are the clients that targets can name.
var named struct {
	mu      sync.Mutex // guards the field below
	clients map[string]*clientv3.Client
}

// RegisterClient lets targets name a client of the program: etcd:///prefix?client=name.
// It must be done before the channel makes its first RPC. The client stays the
// caller's, as that of [WithClient] does. It is an error to register a name twice;
// [UnregisterClient] makes it free again.
func RegisterClient(name string, c *clientv3.Client) error {
	if name == "" || c == nil {
		return errors.New("etcd: RegisterClient: want a name and a client")
	}
	named.mu.Lock()
	defer named.mu.Unlock()
	if named.clients[name] != nil {
		return fmt.Errorf("etcd: RegisterClient: there is a client %q already", name)
	}
	if named.clients == nil {
		named.clients = make(map[string]*clientv3.Client)
	}
	named.clients[name] = c
	return nil
}

// UnregisterClient forgets a name. Channels that use the client go on doing so.
func UnregisterClient(name string) {
	named.mu.Lock()
	defer named.mu.Unlock()
	delete(named.clients, name)
}

// lookupClient returns the client of a name, or an error that says which there
// are.
func lookupClient(name string) (*clientv3.Client, error) {
	named.mu.Lock()
	defer named.mu.Unlock()
	if c := named.clients[name]; c != nil {
		return c, nil
	}
	names := slices.Sorted(maps.Keys(named.clients))
	hint := ""
	if n := nearest.To(name, names); n != "" {
		hint = fmt.Sprintf("did you mean %q? ", n)
	}
	return nil, fmt.Errorf("no client %q (%sregistered through RegisterClient: %s)",
		name, hint, cmp.Or(strings.Join(names, ", "), "none"))
}
