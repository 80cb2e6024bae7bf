package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/grpc/balancer"

	"github.com/evenkeel-grpc/evenkeel/registry/internal/jsonpos"
)

var (
	_ leaf = policyName{}
	_ leaf = policyList{}
)

// policyName is the deprecated loadBalancingPolicy: a name, used with the
// config {}.
type policyName struct{}

func (policyName) check(c *checker, n *jsonpos.Node) {
	if n.Kind != jsonpos.String {
		c.want(n, "a policy's name")
		return
	}
	// grpc gives the empty config to the parser here, also of a policy that cannot
	// do without one.
	if e, ok := c.policy(n.Path, n.Offset, n.Text, "grpc would use pick_first"); ok {
		c.parse(e.builder, n, "{}")
	}
}

// policyList is a list of policies with their configs, of which grpc takes the
// first that is registered.
type policyList struct{}

func (policyList) check(c *checker, n *jsonpos.Node) {
	const example = `such as [{"round_robin":{}}]`
	if n.Kind != jsonpos.Array {
		c.want(n, "a list of policies "+example)
		return
	}
	if len(n.Elements) == 0 {
		c.report(n, "empty list: want a policy, %s", example)
	}
	// grpc stops at the first policy that is registered. The entries behind it
	// count here, so that a config is good wherever it is read.
	for _, e := range n.Elements {
		if e.Kind != jsonpos.Object {
			c.want(e, `an object with one policy, such as {"round_robin":{}}`)
			continue
		}
		if len(e.Members) != 1 {
			c.report(e, "%d policies in one entry%s: want one in each, %s", len(e.Members), keys(e), example)
		}
		for _, m := range e.Members {
			c.policyConfig(m)
		}
	}
}

// policyConfig checks one policy of a list. The policy's own parser sees only
// configs of the right form, so that one mistake is reported once.
func (c *checker) policyConfig(m jsonpos.Member) {
	e, ok := c.policy(m.Value.Path, m.Offset, m.Key, "grpc would skip it")
	if m.Value.Kind != jsonpos.Object {
		c.want(m.Value, "the policy's config as an object, such as {}")
		return
	}
	if !ok {
		return
	}
	before := len(c.findings)
	if e.config != nil { // Else any field might be good.
		c.check(m.Value, e.config)
	}
	if len(c.findings) == before {
		c.parse(e.builder, m.Value, m.Value.Raw)
	}
}

// policy looks a policy up, and reports a name that is not registered. Otherwise
// says what grpc would do without a word.
func (c *checker) policy(path string, offset int, name, otherwise string) (entry[balancer.Builder], bool) {
	e, err := c.registry.balancers.find(KindBalancer, name)
	if err == nil {
		return e, true
	}
	detail := err.Error()
	if u, ok := errors.AsType[*UnknownError](err); ok {
		detail = fmt.Sprintf("no balancer %q, %s: %s", brief(name), otherwise, u.hint())
	}
	c.findings = append(c.findings, finding{path, offset, detail, err})
	return e, false
}

// parse gives a config to the policy's own parser, if it has one.
func (c *checker) parse(b balancer.Builder, n *jsonpos.Node, js string) {
	p, ok := b.(balancer.ConfigParser)
	if !ok {
		return
	}
	if _, err := p.ParseConfig(json.RawMessage(js)); err != nil {
		detail := fmt.Sprintf("%s refuses the config %s: %v", b.Name(), brief(js), err)
		c.findings = append(c.findings, finding{n.Path, n.Offset, detail, err})
	}
}

// keys lists an object's keys in parentheses.
func keys(n *jsonpos.Node) string {
	if len(n.Members) == 0 {
		return ""
	}
	var ks []string
	for _, m := range n.Members {
		ks = append(ks, m.Key)
	}
	return " (" + brief(strings.Join(ks, ", ")) + ")"
}
