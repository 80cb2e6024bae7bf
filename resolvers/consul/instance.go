package consul

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/consul/api"
	"google.golang.org/grpc/resolver"
)

// Instance is what Consul knows of an endpoint. [InstanceOf] returns it.
type Instance struct {
	// ID is the instance's, Service its service's name.
	ID, Service string
	// Node is the name of the node it runs on, Datacenter that of the node.
	Node, Datacenter string
	// Region and Zone are where it runs: its own locality, else its node's.
	Region, Zone string
	// Tags are in Consul's order.
	Tags []string
	// Meta is the instance's metadata, NodeMeta its node's.
	Meta, NodeMeta map[string]string
	// Status is that of all its checks together: "passing", "warning",
	// "critical" or "maintenance".
	Status string

	position int // in Consul's order, if the target asks for one
}

// InstanceOf returns what Consul knows of an endpoint, for a balancer to choose
// by. It returns false if e did not come from this resolver. The caller owns the
// result.
//
// The weight is not part of it: read it with weight.FromEndpoint of the package
// google.golang.org/grpc/experimental/balancer/weight.
//
// A policy that gets addresses instead of endpoints passes
// resolver.Endpoint{Attributes: address.BalancerAttributes} to either.
func InstanceOf(e resolver.Endpoint) (Instance, bool) {
	i, ok := e.Attributes.Value(instanceKey{}).(*Instance)
	if !ok {
		return Instance{}, false
	}
	c := *i
	c.Tags = slices.Clone(i.Tags)
	c.Meta, c.NodeMeta = maps.Clone(i.Meta), maps.Clone(i.NodeMeta)
	return c, true
}

// instanceKey is the endpoint attribute that holds an *Instance, which is never
// changed.
type instanceKey struct{}

func (instanceKey) String() string { return "consul.Instance" }

// Equal makes attributes comparable, as package attributes asks for.
func (i *Instance) Equal(other any) bool {
	o, ok := other.(*Instance)
	if !ok || o == nil || i == nil {
		return ok && o == i
	}
	return i == o || i.ID == o.ID && i.Service == o.Service && i.Node == o.Node && i.Datacenter == o.Datacenter &&
		i.Region == o.Region && i.Zone == o.Zone && i.Status == o.Status &&
		slices.Equal(i.Tags, o.Tags) && maps.Equal(i.Meta, o.Meta) && maps.Equal(i.NodeMeta, o.NodeMeta)
}

// String returns what tells an instance from others.
func (i *Instance) String() string {
	return fmt.Sprintf("%s on %s, %s", i.ID, i.Node, i.Status)
}

// newInstance reads an entry, of which no part is missing.
func newInstance(e *api.ServiceEntry) *Instance {
	i := &Instance{
		ID:         e.Service.ID,
		Service:    e.Service.Service,
		Node:       e.Node.Node,
		Datacenter: e.Node.Datacenter,
		Tags:       e.Service.Tags,
		Meta:       e.Service.Meta,
		NodeMeta:   e.Node.Meta,
		Status:     e.Checks.AggregatedStatus(),
	}
	for _, l := range []*api.Locality{e.Service.Locality, e.Node.Locality} {
		if l != nil && (l.Region != "" || l.Zone != "") {
			i.Region, i.Zone = l.Region, l.Zone
			break
		}
	}
	return i
}

// healthOf is the health that a status stands for. One that Consul's client does
// not know is as bad as any.
func healthOf(status string) health {
	switch status {
	case api.HealthPassing:
		return passing
	case api.HealthWarning:
		return warning
	default:
		return critical
	}
}

// statuses counts instances by status, for a human.
func statuses(count map[string]int) string {
	var texts []string
	for _, s := range slices.Sorted(maps.Keys(count)) {
		texts = append(texts, fmt.Sprintf("%d %s", count[s], s))
	}
	return strings.Join(texts, ", ")
}
