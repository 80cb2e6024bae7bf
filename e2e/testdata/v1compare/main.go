// V1compare runs balancers/v1adapter's scenario on grpc v1.29.1. Its arguments are
// the addresses where servers may listen.
package main

import (
	"fmt"
	"os"

	"google.golang.org/grpc"
)

func main() {
	free := os.Args[1:]
	s := &scenario{
		dial: func(b grpc.Balancer) []grpc.DialOption { return []grpc.DialOption{grpc.WithBalancer(b)} },
		addr: func() string {
			addr := free[0]
			free = free[1:]
			return addr
		},
	}
	fmt.Print(s.run())
}
