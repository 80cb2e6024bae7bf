package v1adapter

import (
	"errors"
	"sync/atomic"
)

var (
	errUsed = errors.New("v1adapter: the balancer of this dial option was used before and cannot be started again: " +
		"the channel went idle, or another channel has the same option: " +
		"use DialOptions, which keeps the channel from going idle, or DialOptionsFunc, which makes a balancer each time")
	errNoFunction = errors.New("v1adapter: the function that makes balancers is nil")
	errNoBalancer = errors.New("v1adapter: the Balancer is nil")
)

// source is where adapters get their v1 balancers. It may be used concurrently.
type source struct {
	// take returns a balancer that was not started, or an error that teaches.
	take func() (Balancer, error)
	// renewable means that take can be called again.
	renewable bool
}

// factory is a source of any number of balancers.
func factory(newBalancer func() Balancer) *source {
	return &source{renewable: true, take: func() (Balancer, error) {
		if newBalancer == nil {
			return nil, errNoFunction
		}
		return nonNil(newBalancer())
	}}
}

// single is a source of one balancer.
func single(b Balancer) *source {
	var used atomic.Bool
	return &source{take: func() (Balancer, error) {
		if b != nil && used.Swap(true) {
			return nil, errUsed
		}
		return nonNil(b)
	}}
}

func nonNil(b Balancer) (Balancer, error) {
	if b == nil {
		return nil, errNoBalancer
	}
	return b, nil
}
