// V1compare runs balancers/v1adapter's scenario on grpc v1.29.1.
package main

import (
	"fmt"

	"google.golang.org/grpc"
)

func main() {
	s := &scenario{dial: func(b grpc.Balancer) []grpc.DialOption { return []grpc.DialOption{grpc.WithBalancer(b)} }}
	fmt.Print(s.run())
}
