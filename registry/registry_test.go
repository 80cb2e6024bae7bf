package registry_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/stats"

	"github.com/evenkeel-grpc/evenkeel/registry"
	"github.com/evenkeel-grpc/evenkeel/scstate"
)

const here = "github.com/evenkeel-grpc/evenkeel/registry_test"

// Registering with grpc is for init functions only.
func init() {
	balancer.Register(fakeBalancer{"test_replaced"})
	resolver.Register(fakeResolver{scheme: "test-replaced"})
	registry.Default.MustRegisterBalancer(fakeBalancer{"test_replaced"}, registry.WithSummary("replaces"))
	registry.Default.MustRegisterResolver(fakeResolver{scheme: "test-replaced"}, registry.WithSummary("replaces"))

	registry.Default.MustRegisterBalancer(fakeBalancer{"test_overwritten"})
	balancer.Register(fakeBalancer{"test_overwritten"})
	registry.Default.MustRegisterResolver(fakeResolver{scheme: "test-overwritten"})
	resolver.Register(otherResolver{fakeResolver{scheme: "test-overwritten"}})
}

type otherResolver struct{ fakeResolver }

func ExampleRegistry() {
	var r registry.Registry // A program uses registry.Default.
	r.MustRegisterBalancer(fakeBalancer{"two_choice"}, registry.WithSummary("picks the better of two endpoints"))
	r.MustRegisterResolver(fakeResolver{scheme: "zookeeper"}, registry.WithSummary("follows a znode"))

	for _, p := range r.Plugins() {
		fmt.Printf("%s %s: %s\n", p.Kind, p.Name, p.Summary)
	}
	_, err := r.Balancer("TwoChoice")
	fmt.Println(err)
	// Output:
	// balancer two_choice: picks the better of two endpoints
	// resolver zookeeper: follows a znode
	// registry: unknown plugin: no balancer "TwoChoice": did you mean "two_choice"? (registered: two_choice)
}

func TestRegisterRefuses(t *testing.T) {
	var r registry.Registry
	r.MustRegisterBalancer(fakeBalancer{"taken"})
	r.MustRegisterResolver(fakeResolver{scheme: "taken"})
	tests := []struct {
		name string
		err  error
		want string
	}{
		{"a nil balancer", r.RegisterBalancer(nil), "registry: nil balancer.Builder"},
		{"a nil pointer as a balancer", r.RegisterBalancer((*fakeBalancer)(nil)), "registry: nil balancer.Builder"},
		{"a balancer without a name", r.RegisterBalancer(fakeBalancer{}), "registry: balancer of " + here + " has an empty name"},
		{"a second balancer of a name", r.RegisterBalancer(fakeBalancer{"taken"}), `registry: balancer "taken" is registered twice, by ` + here + " and by " + here + ": import only one of them"},
		{"a config that is no struct", r.RegisterBalancer(fakeBalancer{"x"}, registry.WithConfig(1)), `registry: balancer "x": WithConfig of a int: want a struct`},
		{"a nil resolver", r.RegisterResolver(nil), "registry: nil resolver.Builder"},
		{"a resolver without a scheme", r.RegisterResolver(fakeResolver{}), "registry: resolver of " + here + ` has scheme "": want lower-case letters, digits, +, - and ., with a letter first`},
		{"a scheme with upper case", r.RegisterResolver(fakeResolver{scheme: "Etcd"}), "registry: resolver of " + here + ` has scheme "Etcd": want lower-case letters, digits, +, - and ., with a letter first`},
		{"a scheme with an underscore", r.RegisterResolver(fakeResolver{scheme: "my_etcd"}), "registry: resolver of " + here + ` has scheme "my_etcd": want lower-case letters, digits, +, - and ., with a letter first`},
		{"a second resolver of a scheme", r.RegisterResolver(fakeResolver{scheme: "taken"}), `registry: resolver "taken" is registered twice, by ` + here + " and by " + here + ": import only one of them"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.err == nil || tt.err.Error() != tt.want {
				t.Errorf("error = %v, want %s", tt.err, tt.want)
			}
		})
	}
}

func TestMustRegisterPanicsWithTheError(t *testing.T) {
	var r registry.Registry
	for name, register := range map[string]func(){
		"nil balancer.Builder": func() { r.MustRegisterBalancer(nil) },
		"nil resolver.Builder": func() { r.MustRegisterResolver(nil) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if err, ok := recover().(error); !ok || !strings.Contains(err.Error(), name) {
					t.Errorf("panic = %v, want an error with %q", err, name)
				}
			}()
			register()
		})
	}
}

func TestBalancersAreWrapped(t *testing.T) {
	var r registry.Registry
	r.MustRegisterBalancer(fakeBalancer{"plain"}, registry.WithFeed(scstate.Detached()))
	r.MustRegisterBalancer(fakeParser{fakeBalancer{"parser"}})
	for name, want := range map[string]bool{"plain": false, "parser": true} {
		b, err := r.Balancer(name)
		if err != nil {
			t.Fatal(err)
		}
		if b == balancer.Builder(fakeBalancer{name}) {
			t.Errorf("Balancer(%q) is the builder itself, want it wrapped", name)
		}
		if _, got := b.(balancer.ConfigParser); got != want || b.Name() != name {
			t.Errorf("Balancer(%q) parses configs: %t, named %q, want %t, %q", name, got, b.Name(), want, name)
		}
	}
}

func TestNilOptionsAreIgnored(t *testing.T) {
	var r registry.Registry
	r.MustRegisterBalancer(fakeBalancer{"a"}, nil, registry.WithSummary("with nil options"), registry.WithFeed(nil, scstate.Detached()))
	r.MustRegisterResolver(fakeResolver{scheme: "a"}, nil, registry.WithSummary("with nil options"))
	for _, p := range r.Plugins() {
		if p.Summary != "with nil options" {
			t.Errorf("%v %q has the summary %q, want the one beside the nil option", p.Kind, p.Name, p.Summary)
		}
	}
}

func TestLookupsThatFailTeach(t *testing.T) {
	var empty, own registry.Registry
	own.MustRegisterBalancer(fakeBalancer{"maglev"})
	own.MustRegisterResolver(fakeResolver{scheme: "consul"})
	tests := []struct {
		name     string
		registry *registry.Registry
		kind     registry.Kind
		lookup   string
		want     string
	}{
		{"an empty registry", &empty, registry.KindBalancer, "maglev", "none is registered"},
		{"a registry of one's own knows nothing else", &empty, registry.KindResolver, "consul", "none is registered"},
		{"a name unlike any", &own, registry.KindBalancer, "xyz", "registered: maglev"},
		{"a name in another case", &own, registry.KindBalancer, "MagLev", `did you mean "maglev"? (registered: maglev)`},
		{"a misspelt name", &own, registry.KindBalancer, "malgev", `did you mean "maglev"? (registered: maglev)`},
		{"a misspelt scheme", &own, registry.KindResolver, "consull", `did you mean "consul"? (registered: consul)`},
		{"a plugin that is not imported", registry.Default, registry.KindResolver, "consul", `its package is not imported, add import _ "github.com/evenkeel-grpc/evenkeel/resolvers/consul" (registered: dns,`},
		{"a policy of grpc that is not imported", registry.Default, registry.KindBalancer, "rls_experimental", `its package is not imported, add import _ "google.golang.org/grpc/balancer/rls" (registered:`},
		{"a misspelt plugin that is not imported", registry.Default, registry.KindResolver, "consull", `did you mean "consul"? For that, add import _ "github.com/evenkeel-grpc/evenkeel/resolvers/consul" (registered:`},
		{"an experimental policy by its short name", registry.Default, registry.KindBalancer, "ring_hash", `did you mean "ring_hash_experimental"? For that, add import _ "google.golang.org/grpc/balancer/ringhash"`},
		{"a policy in upper case", registry.Default, registry.KindBalancer, "ROUND_ROBIN", `did you mean "round_robin"? (registered:`},
		{"a long name is cut", registry.Default, registry.KindBalancer, strings.Repeat("é", 1000), strings.Repeat("é", 30) + `...": registered:`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var err error
			if tt.kind == registry.KindBalancer {
				_, err = tt.registry.Balancer(tt.lookup)
			} else {
				_, err = tt.registry.Resolver(tt.lookup)
			}
			if !errors.Is(err, registry.ErrUnknown) {
				t.Fatalf("lookup of %q = %v, want an ErrUnknown", tt.lookup, err)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("lookup of %q = %v, want ...%s", tt.lookup, err, tt.want)
			}
		})
	}
}

func TestDefaultFindsWhatIsInGRPC(t *testing.T) {
	if b, err := registry.Default.Balancer("pick_first"); err != nil || b != balancer.Get("pick_first") {
		t.Errorf("Balancer(pick_first) = %v, %v, want grpc's", b, err)
	}
	if b, err := registry.Default.Resolver("unix"); err != nil || b != resolver.Get("unix") {
		t.Errorf("Resolver(unix) = %v, %v, want grpc's", b, err)
	}
	want := registry.Plugin{
		Kind: registry.KindResolver, Name: "passthrough", Package: "google.golang.org/grpc/internal/resolver/passthrough",
		Summary: "hands the endpoint to the dialer as it is",
	}
	if diff := cmp.Diff(want, plugin(t, registry.KindResolver, "passthrough")); diff != "" {
		t.Errorf("plugin (-want +got):\n%s", diff)
	}
}

func TestDefaultPublishesAndRemembersWhatItReplaced(t *testing.T) {
	b, err := registry.Default.Balancer("test_replaced")
	if err != nil || b != balancer.Get("test_replaced") || b == balancer.Builder(fakeBalancer{"test_replaced"}) {
		t.Errorf("Balancer(test_replaced) = %v, %v, want the wrapped one, as in grpc's registry", b, err)
	}
	if _, err := registry.Default.Resolver("test-replaced"); err != nil {
		t.Error(err)
	}
	for _, p := range []registry.Plugin{
		{Kind: registry.KindBalancer, Name: "test_replaced", Package: here, Summary: "replaces", Replaced: here},
		{Kind: registry.KindResolver, Name: "test-replaced", Package: here, Summary: "replaces", Replaced: here},
	} {
		if diff := cmp.Diff(p, plugin(t, p.Kind, p.Name)); diff != "" {
			t.Errorf("plugin (-want +got):\n%s", diff)
		}
	}
}

func TestDefaultNoticesThatItWasOverwritten(t *testing.T) {
	_, balancerErr := registry.Default.Balancer("test_overwritten")
	_, resolverErr := registry.Default.Resolver("test-overwritten")
	for _, err := range []error{balancerErr, resolverErr} {
		want := "of " + here + " was overwritten in grpc's registry by " + here
		if err == nil || errors.Is(err, registry.ErrUnknown) || !strings.Contains(err.Error(), want) {
			t.Errorf("lookup = %v, want ...%s", err, want)
		}
	}
	if got := plugin(t, registry.KindBalancer, "test_overwritten").OverwrittenBy; got != here {
		t.Errorf("OverwrittenBy = %q, want %q", got, here)
	}
	err := registry.CheckServiceConfig(`{"loadBalancingPolicy":"test_overwritten"}`)
	if err == nil || !strings.Contains(err.Error(), "was overwritten") {
		t.Errorf("CheckServiceConfig = %v, want an error about the overwriting", err)
	}
}

func plugin(tb testing.TB, kind registry.Kind, name string) registry.Plugin {
	tb.Helper()
	for _, p := range registry.Default.Plugins() {
		if p.Kind == kind && p.Name == name {
			return p
		}
	}
	tb.Fatalf("no %s %q in Plugins()", kind, name)
	return registry.Plugin{}
}

func TestConcurrentUse(t *testing.T) {
	var r registry.Registry
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			name := fmt.Sprintf("p%d", i/2) // Each one twice.
			_ = r.RegisterBalancer(fakeParser{fakeBalancer{name}}, registry.WithConfig(fakeConfig{}))
			_ = r.RegisterResolver(fakeResolver{scheme: name})
			if _, err := r.Balancer(name); err != nil {
				t.Error(err)
			}
			if err := r.CheckServiceConfig(`{"loadBalancingPolicy":"` + name + `"}`); err != nil {
				t.Error(err)
			}
			_, _ = r.Resolver("p")
			_ = r.Plugins()
		})
	}
	wg.Wait()
	if got := len(r.Plugins()); got != 64 {
		t.Errorf("%d plugins, want 64", got)
	}
}

func TestKindString(t *testing.T) {
	for k, want := range map[registry.Kind]string{registry.KindBalancer: "balancer", registry.KindResolver: "resolver", 7: "Kind(7)"} {
		if got := k.String(); got != want {
			t.Errorf("Kind(%d).String() = %q, want %q", int(k), got, want)
		}
	}
}

// handler is a stats handler that can be told from others.
type handler struct {
	stats.Handler
	name string
}

func TestStatsHandlersAreThoseOfTheBalancers(t *testing.T) {
	var r registry.Registry
	if got := r.StatsHandlers(); got != nil {
		t.Errorf("StatsHandlers() of an empty registry = %v, want none", got)
	}
	r.MustRegisterBalancer(fakeBalancer{"b"}, registry.WithStatsHandler(handler{name: "b"}))
	r.MustRegisterBalancer(fakeBalancer{"a"}, registry.WithStatsHandler(handler{name: "a"}))
	r.MustRegisterBalancer(fakeBalancer{"c"})
	want := []stats.Handler{handler{name: "a"}, handler{name: "b"}}
	if got := r.StatsHandlers(); !slices.Equal(got, want) {
		t.Errorf("StatsHandlers() = %v, want %v", got, want)
	}
}
