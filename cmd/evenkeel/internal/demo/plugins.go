package demo

import (
	// The plugins that the demo shows, and --policy can name.
	_ "github.com/evenkeel-grpc/evenkeel/balancers/roundrobin"
	_ "github.com/evenkeel-grpc/evenkeel/resolvers/etcd"
)
