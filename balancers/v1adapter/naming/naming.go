package naming

// Operation says what an [Update] does.
type Operation uint8

// The operations.
const (
	Add    Operation = iota // the address is new
	Delete                  // the address is gone
)

// Update is one change to the addresses of a target.
type Update struct {
	// Op is Add or Delete.
	Op Operation
	// Addr is the address, such as "10.0.0.1:443".
	Addr string
	// Metadata is the resolver's own, of a comparable type. A Delete has to have
	// that of its Add.
	Metadata any
}

// Resolver finds the addresses of targets.
type Resolver interface {
	// Resolve returns a Watcher for a target, which has no scheme.
	Resolve(target string) (Watcher, error)
}

// Watcher follows the addresses of one target. Next is called by one goroutine,
// Close by any.
type Watcher interface {
	// Next waits for changes since the last call; the first call returns all
	// addresses. An error means that there will be no more changes.
	Next() ([]*Update, error)
	// Close makes Next return an error, now or whenever it is called.
	Close()
}

// AddressType is the kind of server in an [AddrMetadataGRPCLB].
type AddressType uint8

// The kinds of servers.
const (
	Backend AddressType = iota // a server
	GRPCLB                     // a grpclb load balancer, to be asked for servers
)

// AddrMetadataGRPCLB is the Metadata of an address that the DNS resolver found
// by its SRV record for grpclb.
type AddrMetadataGRPCLB struct {
	AddrType AddressType
	// ServerName is the load balancer's name, for authentication.
	ServerName string
}
