package v1adapter

import (
	"context"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// Address is a server that the channel is to connect to.
type Address struct {
	// Addr is what is dialed, such as "10.0.0.1:443".
	Addr string
	// Metadata is the balancer's own. Together with Addr it identifies the
	// Address, so its type must be comparable.
	Metadata any
}

// BalancerConfig is what [Balancer.Start] gets of the channel.
type BalancerConfig struct {
	// DialCreds are the channel's transport credentials, for a balancer that
	// asks a server of its own. Nil if the channel has none.
	DialCreds credentials.TransportCredentials
	// Dialer is the channel's custom dialer, nil if it has none.
	Dialer func(context.Context, string) (net.Conn, error)
}

// BalancerGetOptions are the options of one [Balancer.Get].
type BalancerGetOptions struct {
	// BlockingWait says that Get should wait while no address is connected. It
	// is set for wait-for-ready RPCs; the package documentation says when the
	// adapter knows of those.
	BlockingWait bool
}

// Balancer is grpc-go's v1 balancer. Start, Up, the functions that Up returns,
// and Close are called one at a time, Get and Notify at any time between Start
// and Close.
type Balancer interface {
	// Start is called first, with the channel's target without its scheme. After
	// an error RPCs fail as UNAVAILABLE, and Start is called again if grpc asks
	// for it: when the channel's resolver updates, and on ClientConn.Connect.
	Start(target string, config BalancerConfig) error
	// Up is called each time a connection to addr is ready, and the function it
	// returns, unless nil, once with the cause when that connection is lost,
	// removed or closed.
	Up(addr Address) (down func(error))
	// Get chooses the address for the RPC that ctx belongs to. It may be called
	// concurrently. With BlockingWait it should wait for a connected address,
	// until ctx is done; otherwise it should return at once with an address that
	// Notify has listed. An error ends the RPC. Put, unless nil, is called
	// exactly once, when the RPC has ended or was not sent.
	Get(ctx context.Context, opts BalancerGetOptions) (addr Address, put func(), err error)
	// Notify is called once and returns the channel over which the balancer
	// sends all addresses that are to be connected, each time in full. A nil
	// channel stands for one connection, to the target itself. Closing the
	// channel keeps the connections.
	Notify() <-chan []Address
	// Close is called once, last. A Get may still be under way.
	Close() error
}

// ErrClientConnClosing is grpc.ErrClientConnClosing: what [RoundRobin] returns
// from a Get or Start after Close. Code that compares with either is right.
var ErrClientConnClosing = grpc.ErrClientConnClosing //nolint:staticcheck // deprecated, but what v1 code compares with
