package consul

import (
	"slices"
	"testing"

	"github.com/hashicorp/consul/api"
)

func TestInstancesThatDifferAreNotEqual(t *testing.T) {
	base := func() *Instance {
		return &Instance{
			ID: "i", Service: "s", Node: "n", Datacenter: "d", Region: "r", Zone: "z", Status: "passing",
			Tags: []string{"t"}, Meta: map[string]string{"k": "v"}, NodeMeta: map[string]string{"k": "v"},
		}
	}
	same := base()
	same.position = 7 // is no difference: the order of the list tells it
	if !base().Equal(base()) || !base().Equal(same) {
		t.Error("two instances with the same fields differ")
	}
	for name, change := range map[string]func(*Instance){
		"ID":         func(i *Instance) { i.ID = "x" },
		"Service":    func(i *Instance) { i.Service = "x" },
		"Node":       func(i *Instance) { i.Node = "x" },
		"Datacenter": func(i *Instance) { i.Datacenter = "x" },
		"Region":     func(i *Instance) { i.Region = "x" },
		"Zone":       func(i *Instance) { i.Zone = "x" },
		"Status":     func(i *Instance) { i.Status = "x" },
		"Tags":       func(i *Instance) { i.Tags[0] = "x" },
		"Meta":       func(i *Instance) { i.Meta["k"] = "x" },
		"NodeMeta":   func(i *Instance) { i.NodeMeta["k"] = "x" },
	} {
		other := base()
		change(other)
		if base().Equal(other) || other.Equal(base()) {
			t.Errorf("instances with another %s are equal", name)
		}
	}
	if base().Equal((*Instance)(nil)) || base().Equal("i") || (*Instance)(nil).Equal(base()) {
		t.Error("an instance is equal to what is none")
	}
}

// Consul answers in any order; that is no news.
func TestOrderOfConsulDoesNotMatter(t *testing.T) {
	s := newSite(&query{name: "x"}, "")
	entries := []*api.ServiceEntry{
		decode(t, `{"Node":{},"Service":{"ID":"b","Address":"10.0.0.1","Port":1}}`),
		decode(t, `{"Node":{},"Service":{"ID":"a","Address":"10.0.0.1","Port":1}}`),
		decode(t, `{"Node":{},"Service":{"ID":"c","Address":"10.0.0.0","Port":1}}`),
	}
	s.take(answer{entries: entries})
	var ids []string
	for _, e := range s.last.Endpoints {
		i, _ := InstanceOf(e)
		ids = append(ids, i.ID)
	}
	if want := []string{"c", "a", "b"}; !slices.Equal(ids, want) {
		t.Errorf("instances %q, want %q: of those with one address the least ID comes first", ids, want)
	}
	slices.Reverse(entries)
	if s.take(answer{entries: entries}) {
		t.Error("another order is news")
	}
}

func TestPoolReplacesAClientThatMayBeBroken(t *testing.T) {
	var p pool
	from := origin{access: access{addr: "h:1"}}
	acquire := func() (*client, func(bool)) {
		t.Helper()
		c, release, err := p.acquire(from)
		if err != nil {
			t.Fatal(err)
		}
		return c, release
	}
	one, releaseOne := acquire()
	again, releaseAgain := acquire()
	if one != again {
		t.Error("two users of one origin got different clients")
	}
	releaseOne(true) // e.g. its certificate has been replaced
	two, releaseTwo := acquire()
	if two == one {
		t.Error("a client that may be broken was given to somebody else")
	}
	releaseAgain(false)
	three, releaseThree := acquire()
	if three != two {
		t.Error("the end of the old client took the new one away")
	}
	releaseTwo(false)
	releaseThree(false)
	if len(p.entries) != 0 {
		t.Errorf("clients that nobody uses: %d", len(p.entries))
	}
	if _, _, err := p.acquire(origin{access: access{addr: "h:1", tokenFile: "/nowhere"}}); err == nil || len(p.entries) != 0 {
		t.Errorf("acquire with a file that is missing = %v, with %d clients left; want an error and none", err, len(p.entries))
	}
}
