// Package grpclb tests, with the policy grpclb linked in, what that changes in
// the resolvers.
package grpclb
