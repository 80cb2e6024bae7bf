package pickfirst

import (
	"google.golang.org/grpc/attributes"
	"google.golang.org/grpc/balancer/pickfirst"
	"google.golang.org/grpc/resolver"
)

// healthListenerEnabled reports whether the parent policy wants the health
// listener to be used: whether pickfirst.EnableHealthListener was called on s.
//
// grpc exports the setter of that attribute and no getter, and the key is
// private. So a state with the attribute and a spy behind it is compared with s:
// Equal reaches the spy only if s has the attribute too.
func healthListenerEnabled(s resolver.State) bool {
	reached := false
	spy := spyValue{&reached}
	marked := pickfirst.EnableHealthListener(resolver.State{Attributes: attributes.New(spyKey{}, spy)})
	marked.Attributes.Equal(s.Attributes.WithValue(spyKey{}, spy))
	return reached
}

type spyKey struct{}

type spyValue struct{ reached *bool }

func (v spyValue) Equal(any) bool {
	*v.reached = true
	return true
}
