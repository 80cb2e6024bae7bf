package registry

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"

	"github.com/evenkeel-grpc/evenkeel/internal/nearest"
	"github.com/evenkeel-grpc/evenkeel/registry/internal/jsonpos"
)

var (
	_ object   = serviceConfig{}
	_ object   = methodConfig{}
	_ object   = methodName{}
	_ object   = retryPolicy{}
	_ object   = retryThrottling{}
	_ ignoring = serviceConfig{}
	_ ignoring = methodConfig{}
	_ leaf     = statusCodes{}
)

// verify checks what spans the whole service config.
func (serviceConfig) verify(c *checker, n *jsonpos.Node) {
	if p := n.Get("loadBalancingPolicy"); p != nil && n.Get("loadBalancingConfig") != nil {
		c.report(p, "grpc ignores %s because loadBalancingConfig is given as well: keep only one", show(p))
	}
	seen := make(map[string]bool)
	for _, method := range elements(n.Get("methodConfig")) {
		for _, name := range elements(method.Get("name")) {
			// This is how grpc compares names.
			path := text(name, "service") + "/" + text(name, "method")
			if seen[path] {
				c.report(name, "duplicate name %s: want each method in one entry of methodConfig", show(name))
			}
			seen[path] = true
		}
	}
}

// ignored names the fields of the proto that grpc-go does not read.
func (serviceConfig) ignored() map[string]string {
	return map[string]string{"connectionScaling": "it has no connection scaling (gRFC A105)"}
}

// verify checks that there is a method: grpc skips an entry without any.
func (methodConfig) verify(c *checker, n *jsonpos.Node) {
	if len(elements(n.Get("name"))) == 0 {
		c.report(n, `no name, so that grpc ignores the entry: want "name", such as [{"service":"helloworld.Greeter"}], or [{}] for all methods`)
	}
}

// ignored names the fields of the proto that grpc-go does not read.
func (methodConfig) ignored() map[string]string {
	return map[string]string{"hedgingPolicy": "it has no hedging, use a retryPolicy"}
}

// verify checks for what grpc refuses, and for a name that matches no call: grpc
// looks for /service/method, and puts the slashes in itself.
func (methodName) verify(c *checker, n *jsonpos.Node) {
	if text(n, "service") == "" && text(n, "method") != "" {
		c.report(n, "method without a service in %s: want both, or neither for all methods", show(n))
	}
	if strings.Contains(text(n, "service")+text(n, "method"), "/") {
		c.report(n, `slash in %s, which no call matches: want names such as {"service":"helloworld.Greeter","method":"SayHello"}`, show(n))
	}
}

// verify checks that all is there: the defaults of grpc-go would be zeros, which
// it refuses in one message that names no field.
func (retryPolicy) verify(c *checker, n *jsonpos.Node) {
	c.required(n, "maxAttempts", "initialBackoff", "maxBackoff", "backoffMultiplier", "retryableStatusCodes")
}

// verify checks that all is there. grpc does not look at the throttling at all if
// there is no methodConfig.
func (retryThrottling) verify(c *checker, n *jsonpos.Node) {
	c.required(n, "maxTokens", "tokenRatio")
}

// required reports the keys that are not there.
func (c *checker) required(n *jsonpos.Node, keys ...string) {
	for _, k := range keys {
		if n.Get(k) == nil {
			c.report(n, "%q is missing: want %s", k, strings.Join(keys, ", "))
		}
	}
}

// statusCodes is a list of codes by name or number.
type statusCodes struct{}

func (statusCodes) check(c *checker, n *jsonpos.Node) {
	if n.Kind != jsonpos.Array || len(n.Elements) == 0 {
		c.want(n, `a list of status codes, such as ["UNAVAILABLE"]`)
	}
	for _, e := range n.Elements {
		statusCode(c, e)
	}
}

// codeNames has the names that codes.Code accepts in JSON, by number.
var codeNames = []string{
	"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED",
	"FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
}

// statusCode checks one code with grpc's own decoder, which compares the bytes as
// they are written: not even an escape in a name is understood.
func statusCode(c *checker, n *jsonpos.Node) {
	var code codes.Code
	err := code.UnmarshalJSON([]byte(n.Raw))
	switch {
	case n.Kind == jsonpos.Null || err != nil:
		want := fmt.Sprintf("a status code, 1 to %d or one of %s", len(codeNames)-1, strings.Join(codeNames[1:], ", "))
		if near := nearest.To(n.Text, codeNames); near != "" {
			want = fmt.Sprintf("the status code %q", near)
		}
		c.want(n, want)
	case code == codes.OK:
		c.report(n, "OK is no failure to retry: want another status code")
	}
}

// elements returns a list's elements that are objects.
func elements(n *jsonpos.Node) []*jsonpos.Node {
	if n == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(n.Elements), func(e *jsonpos.Node) bool { return e.Kind != jsonpos.Object })
}

// text returns a member's text, empty if it has none.
func text(n *jsonpos.Node, key string) string {
	if v := n.Get(key); v != nil {
		return v.Text
	}
	return ""
}
