package registry

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"

	"google.golang.org/grpc/stats"
)

// table holds the plugins of one kind.
type table[B any] struct {
	// Set once. Nil in every registry but Default.
	grpc *global[B]

	mu      sync.RWMutex // guards entries, and our use of grpc
	entries map[string]entry[B]
}

type entry[B any] struct {
	plugin  Plugin
	builder B             // as grpc gets it
	old     B             // what had the name in grpc's registry before, or nil
	config  reflect.Type  // of a balancer's config, a struct; nil if not known
	stats   stats.Handler // for its channels, or nil
}

// global is one of grpc's own registries: a map in which the last one wins.
type global[B any] struct {
	get      func(name string) B
	register func(B)
}

// add enters e and publishes it. The lock is held meanwhile because grpc's map
// has none.
func (t *table[B]) add(e entry[B]) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := &e.plugin
	if old, ok := t.entries[p.Name]; ok {
		return fmt.Errorf("registry: %s %q is registered twice, by %s and by %s: import only one of them", p.Kind, p.Name, old.plugin.Package, p.Package)
	}
	if t.grpc != nil {
		// The last one wins in grpc's registry, so this replaces what was there.
		if old := t.grpc.get(p.Name); !isNil(old) {
			p.Replaced, e.old = packageOf(old), old
		}
		t.grpc.register(e.builder)
		if !same(t.grpc.get(p.Name), e.builder) {
			return fmt.Errorf("registry: %s %q of %s did not reach grpc's registry: does its name change?", p.Kind, p.Name, p.Package)
		}
	}
	if t.entries == nil {
		t.entries = make(map[string]entry[B])
	}
	t.entries[p.Name] = e
	return nil
}

// find returns the entry of a name, or an error that teaches.
func (t *table[B]) find(kind Kind, name string) (entry[B], error) {
	t.mu.RLock()
	e, ok := t.lookupLocked(name)
	t.mu.RUnlock()
	if !ok {
		return entry[B]{}, t.unknown(kind, name)
	}
	if p := e.plugin; p.OverwrittenBy != "" {
		return entry[B]{}, fmt.Errorf("registry: %s %q of %s was overwritten in grpc's registry by %s, which initialised later: "+
			"import that package in the plugin to make it initialise first, or keep only one of the two", kind, name, p.Package, p.OverwrittenBy)
	}
	return e, nil
}

// lookupLocked returns the own entry of a name, or one made up for a builder
// that was registered with grpc directly.
func (t *table[B]) lookupLocked(name string) (entry[B], bool) {
	e, own := t.entries[name]
	if t.grpc == nil {
		return e, own
	}
	// Somebody may have registered directly with grpc, before us or after.
	used := t.grpc.get(name)
	if own {
		if !same(used, e.builder) {
			e.plugin.OverwrittenBy = packageOf(used)
		}
		return e, true
	}
	if isNil(used) {
		return e, false
	}
	e.builder, e.plugin.Package = used, packageOf(used)
	// A replacement that is not grpc's own may have a config of its own.
	if strings.HasPrefix(e.plugin.Package, grpcPath+"/") {
		e.config = grpcConfigs[name]
	}
	return e, true
}

// plugins returns what is registered, sorted by name.
func (t *table[B]) plugins(kind Kind) []Plugin {
	t.mu.RLock()
	defer t.mu.RUnlock()
	byName := make(map[string]Plugin)
	for name := range t.entries {
		e, _ := t.lookupLocked(name)
		byName[name] = e.plugin
	}
	for _, k := range knownPlugins {
		if _, own := byName[k.name]; own || k.kind != kind {
			continue
		}
		if e, ok := t.lookupLocked(k.name); ok {
			byName[k.name] = Plugin{Kind: kind, Name: k.name, Package: e.plugin.Package, Summary: k.summary}
		}
	}
	return slices.SortedFunc(maps.Values(byName), func(a, b Plugin) int { return cmp.Compare(a.Name, b.Name) })
}
