//go:build !unix

package main

import "errors"

// tryLock always fails: without flock every run gets a temporary copy.
func tryLock(string) (unlock func(), err error) {
	return nil, errors.ErrUnsupported
}
