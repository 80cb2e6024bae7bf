package evenkeel_test

import (
	"context"
	"errors"
	"net"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/evenkeel-grpc/evenkeel"
	"github.com/evenkeel-grpc/evenkeel/registry"
)

// checked is a resolver that accepts the endpoint "good" only, and one token.
type checked struct{ *manual.Resolver }

var errTarget = errors.New(`want the endpoint "good"`)

func (checked) CheckTarget(t resolver.Target) error {
	if t.Endpoint() == "good" && slices.Contains([]string{"", "token=hunter2", "token=1"}, t.URL.RawQuery) {
		return nil
	}
	return errTarget
}

// SealTarget calls the token "1".
func (checked) SealTarget(u url.URL) (url.URL, bool) {
	if u.RawQuery != "token=hunter2" {
		return u, false
	}
	u.RawQuery = "token=1"
	return u, true
}

// Registering with grpc is for init functions only. The scheme is like the
// name of a host.
func init() {
	registry.Default.MustRegisterResolver(checked{manual.NewBuilderWithScheme("checked")})
}

var insecureCreds = grpc.WithTransportCredentials(insecure.NewCredentials())

func TestNewClientPassesOnWhatGRPCAccepts(t *testing.T) {
	for _, target := range []string{
		"localhost:50051", "localhost:http", "host", ":80", "10.0.0.1:80", "[::1]:80", "host/path", "//host/path",
		"unix:/tmp/x", "unix:relative", "unix:///tmp/x", "unix-abstract:x", "dns:host", "dns:///host:80", "DNS:///host", "dns://8.8.8.8/host",
		"passthrough:///x", "passthrough:///", "consul:8500", "etcd:2379", "payments:v2", "checked:///good",
	} {
		t.Run(target, func(t *testing.T) {
			want, err := grpc.NewClient(target, insecureCreds)
			if err != nil {
				t.Fatal(err)
			}
			defer closeClient(t, want)
			got, err := evenkeel.NewClient(target, insecureCreds)
			if err != nil {
				t.Fatalf("NewClient(%q) = %v, want nil", target, err)
			}
			defer closeClient(t, got)
			if got.CanonicalTarget() != want.CanonicalTarget() || got.Target() != want.Target() {
				t.Errorf("NewClient(%q) dials %s, want %s", target, got.CanonicalTarget(), want.CanonicalTarget())
			}
		})
	}
}

func TestNewClientRefusesTargets(t *testing.T) {
	const (
		form      = ": want scheme://authority/endpoint or host:port"
		consul    = `its package is not imported, add import _ "github.com/evenkeel-grpc/evenkeel/resolvers/consul" (registered: checked, dns, passthrough, unix, unix-abstract)`
		malformed = "evenkeel: malformed target "
		unknown   = ": registry: unknown plugin: no resolver "
	)
	tests := []struct{ name, target, want string }{
		{"a scheme that is not imported", "consul://127.0.0.1/x", `evenkeel: target "consul://127.0.0.1/x"` + unknown + `"consul": ` + consul},
		{"a scheme that is not imported, in upper case", "CONSUL:///x", `evenkeel: target "CONSUL:///x"` + unknown + `"consul": ` + consul},
		{"a scheme that is not imported, without slashes", "consul:payments?tag=v2", `evenkeel: target "consul:payments?tag=xxxxx"` + unknown + `"consul": ` + consul},
		{"a scheme that is not imported, with one slash", "consul:/payments", `evenkeel: target "consul:/payments"` + unknown + `"consul": ` + consul},
		{"a misspelt scheme", "consull:///x", `evenkeel: target "consull:///x"` + unknown + `"consull": did you mean "consul"? For that, add import _ "github.com/evenkeel-grpc/evenkeel/resolvers/consul"`},
		{"a misspelt scheme that is imported", "dsn:///x", `evenkeel: target "dsn:///x"` + unknown + `"dsn": did you mean "dns"? (registered:`},
		{"a scheme that nobody knows", "http://host/x", `evenkeel: target "http://host/x"` + unknown + `"http": registered: checked,`},
		{"a control character", "host\n:80", malformed + `"host\n:80": invalid control character in URL` + form},
		{"a control character in a host alone", "\x7fhost", malformed + `"\x7fhost": invalid control character in URL` + form},
		{"a bad port", "consul://h:bad port/x", malformed + `"consul://h:bad port/x": invalid port ":bad port" after host` + form},
		{"a bad escape", "dns:///a%zz", malformed + `"dns:///a%zz": invalid URL escape "%zz"` + form},
		{"a bad escape without a scheme", "10.0.0.1%zz:80", malformed + `"10.0.0.1%zz:80": invalid URL escape "%zz"` + form},
		{"an empty scheme", "://x", malformed + `"://x": missing protocol scheme` + form},
		{"an invalid scheme", "my_etcd://x", malformed + `"my_etcd://x": first path segment in URL cannot contain colon` + form},
		{"an open bracket", "etcd://[::1/x", malformed + `"etcd://[::1/x": missing ']' in host` + form},
		{"nothing", "", `evenkeel: target "": no host: want a name or address, such as "dns:///example.com:443"`},
		{"a resolver that refuses it", "checked:///bad", `evenkeel: target "checked:///bad": want the endpoint "good"`},
		{"a resolver that refuses a parameter", "checked:///good?token=secret", `evenkeel: target "checked:///good?token=xxxxx": want the endpoint "good"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := evenkeel.NewClient(tt.target, insecureCreds)
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("NewClient(%q) = %v\nwant %s", tt.target, err, tt.want)
			}
		})
	}
	if _, err := evenkeel.NewClient("consul://x"); !errors.Is(err, registry.ErrUnknown) {
		t.Errorf("NewClient without credentials = %v, want an ErrUnknown", err)
	}
	if _, err := evenkeel.NewClient("checked:///bad", insecureCreds); !errors.Is(err, errTarget) {
		t.Errorf("NewClient = %v, want it to wrap the resolver's error", err)
	}
}

func TestErrorsDoNotShowSecrets(t *testing.T) {
	for _, target := range []string{
		"consul://user:secret@host/x", "consul://user:secret@h:bad port/x", "consul://user:sec/secret@host/x", "consul://user:secret%zz@host/x",
		"consul://user:x?secret@host", "consul://user:x#secret@host", "consul:user:secret@host", "consul://secret@host/x",
		"consul:///x?token=secret", "consul:///x?secret", "consul:///x?a=1&token=secret;b=secret", "consul:///x#secret", "consul:///x#a?token=secret",
		"checked://user:secret@host/bad", "checked:///bad?token=secret", "u:secret@h\n", "//u:secret@h/%zz",
	} {
		t.Run(target, func(t *testing.T) {
			_, err := evenkeel.NewClient(target, insecureCreds)
			if err == nil || strings.Contains(err.Error(), "secret") {
				t.Errorf("NewClient(%q) = %v, want an error without the secret", target, err)
			}
		})
	}
}

func TestSecretsAreSealedBeforeGRPCSeesTheTarget(t *testing.T) {
	for target, want := range map[string]string{
		"checked:///good?token=hunter2":  "checked:///good?token=1",
		"checked:///good?token=1":        "checked:///good?token=1",
		"CHECKED:///good?":               "CHECKED:///good?", // without a secret it is left as it is
		"passthrough:///x?token=hunter2": "passthrough:///x?token=hunter2",
	} {
		cc, err := evenkeel.NewClient(target, insecureCreds)
		if err != nil {
			t.Fatalf("NewClient(%q) = %v", target, err)
		}
		if got := cc.Target(); got != want {
			t.Errorf("NewClient(%q) dials %q, want %q", target, got, want)
		}
		closeClient(t, cc)
	}
}

func TestResolversOfTheChannelAreNotChecked(t *testing.T) {
	for _, tt := range []struct{ name, scheme, target string }{
		{"a scheme that is not registered", "mine", "mine:///x"},
		{"a scheme that is registered as well", "checked", "checked:///bad"},
		{"the default scheme, named", "dns", "dns:///"},
		{"the default scheme, not named", "dns", ""},
		{"the default scheme, of what does not parse", "dns", ":80"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cc, err := evenkeel.NewClient(tt.target, insecureCreds, grpc.WithResolvers(manual.NewBuilderWithScheme(tt.scheme)))
			if err != nil {
				t.Fatalf("NewClient(%q) = %v, want nil", tt.target, err)
			}
			closeClient(t, cc)
		})
	}
}

func TestWithServiceConfig(t *testing.T) {
	const (
		good   = `{"loadBalancingConfig":[{"round_robin":{}}]}`
		broken = `{"loadBalancingConfig":[{"round_robin":{}},]}`
		typo   = `{"loadBalancingConfig":[{"round_robbin":{}},{"pick_first":{}}]}`
	)
	tests := []struct {
		name string
		opts []grpc.DialOption
		want string
	}{
		{"a good config", []grpc.DialOption{evenkeel.WithServiceConfig(good)}, ""},
		{"broken JSON", []grpc.DialOption{evenkeel.WithServiceConfig(broken)}, "evenkeel: registry: service config: $.loadBalancingConfig (1:43): trailing comma before ']'"},
		{"a misspelt policy", []grpc.DialOption{evenkeel.WithServiceConfig(typo)}, `evenkeel: registry: service config: $.loadBalancingConfig[0].round_robbin (1:26): no balancer "round_robbin", grpc would skip it: did you mean "round_robin"?`},
		{"the last one is bad", []grpc.DialOption{evenkeel.WithServiceConfig(good), evenkeel.WithServiceConfig(typo)}, "evenkeel: registry: service config: $.load"},
		{"only the last one counts", []grpc.DialOption{evenkeel.WithServiceConfig(typo), evenkeel.WithServiceConfig(good)}, ""},
		{"a config of grpc's option is not checked", []grpc.DialOption{grpc.WithDefaultServiceConfig(typo)}, ""},
		{"an option that is nil", []grpc.DialOption{nil}, "evenkeel: dial option 1 is nil"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cc, err := evenkeel.NewClient("passthrough:///x", append([]grpc.DialOption{insecureCreds}, tt.opts...)...)
			if err == nil {
				closeClient(t, cc)
			}
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.HasPrefix(err.Error(), tt.want)) {
				t.Errorf("NewClient = %v, want %q", err, tt.want)
			}
		})
	}
}

func TestErrorsOfGRPCAreUnchanged(t *testing.T) {
	for _, opts := range [][]grpc.DialOption{
		nil, // No transport security.
		{insecureCreds, grpc.WithDefaultServiceConfig("{")},
	} {
		_, want := grpc.NewClient("dns:///x", opts...)
		_, got := evenkeel.NewClient("dns:///x", opts...)
		if got == nil || got.Error() != want.Error() {
			t.Errorf("NewClient = %v, want %v", got, want)
		}
	}
}

// several is an option that stands for others.
type several struct {
	grpc.EmptyDialOption
	opts []grpc.DialOption
}

func (s several) DialOptions() []grpc.DialOption { return s.opts }

// signer is a stats handler that adds a name to those in the RPC's context.
type signer string

func (n signer) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context {
	if names, ok := ctx.Value(namesKey{}).(*[]string); ok {
		*names = append(*names, string(n))
	}
	return ctx
}

func (signer) HandleRPC(context.Context, stats.RPCStats)                         {}
func (signer) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (signer) HandleConn(context.Context, stats.ConnStats)                       {}

func signed(name string) grpc.DialOption { return grpc.WithStatsHandler(signer(name)) }

type namesKey struct{}

// observed is a balancer with a stats handler.
type observed struct{ balancer.Builder }

func (observed) Name() string { return "test_observed" }

func init() {
	registry.Default.MustRegisterBalancer(observed{}, registry.WithStatsHandler(signer("plugin")))
}

func TestNewClientExpandsOptions(t *testing.T) {
	cc, err := evenkeel.NewClient("passthrough:///x", signed("before"), several{opts: []grpc.DialOption{signed("first"), insecureCreds, signed("second")}}, signed("after"),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) { return nil, errors.New("nobody there") }))
	if err != nil {
		t.Fatal(err)
	}
	defer closeClient(t, cc)
	var names []string
	_, err = healthpb.NewHealthClient(cc).Check(context.WithValue(t.Context(), namesKey{}, &names), &healthpb.HealthCheckRequest{})
	if status.Code(err) != codes.Unavailable {
		t.Errorf("Check = %v, want UNAVAILABLE", err)
	}
	if diff := cmp.Diff([]string{"before", "first", "second", "after", "plugin"}, names); diff != "" {
		t.Errorf("options in force (-want +got):\n%s", diff)
	}
}

func TestNewClientLeavesTheOptionsAlone(t *testing.T) {
	opts := make([]grpc.DialOption, 1, 2)
	opts[0] = insecureCreds
	cc, err := evenkeel.NewClient("passthrough:///x", opts...)
	if err != nil {
		t.Fatal(err)
	}
	closeClient(t, cc)
	if opts[:2][1] != nil {
		t.Error("NewClient wrote behind the caller's options")
	}
}

func TestRefusedClientsLeaveNothingBehind(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	for range 10 {
		if _, err := evenkeel.NewClient("consul:///x", insecureCreds); err == nil {
			t.Fatal("NewClient = nil, want an error")
		}
	}
}

// TestRoundTrip calls a server through the channel, with the policy and the
// statuses that grpc would give.
func TestRoundTrip(t *testing.T) {
	lis := bufconn.Listen(1 << 16)
	server := grpc.NewServer()
	healthpb.RegisterHealthServer(server, health.NewServer())
	go func() { _ = server.Serve(lis) }()
	t.Cleanup(server.Stop)

	cc, err := evenkeel.NewClient("passthrough:///bufconn", insecureCreds,
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return lis.DialContext(ctx) }),
		evenkeel.WithServiceConfig(`{"loadBalancingConfig":[{"round_robin":{}}],"methodConfig":[{"name":[{}],"waitForReady":true}]}`))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeClient(t, cc) })

	client := healthpb.NewHealthClient(cc)
	resp, err := client.Check(t.Context(), &healthpb.HealthCheckRequest{})
	if err != nil || resp.GetStatus() != healthpb.HealthCheckResponse_SERVING {
		t.Errorf("Check = %v, %v, want SERVING", resp, err)
	}
	_, err = client.Check(t.Context(), &healthpb.HealthCheckRequest{Service: "nobody"})
	if diff := cmp.Diff(codes.NotFound, status.Code(err)); diff != "" {
		t.Errorf("code of %v (-want +got):\n%s", err, diff)
	}
	stream, err := client.Watch(t.Context(), &healthpb.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Errorf("Recv = %v, want nil", err)
	}
}

// FuzzNewClient holds NewClient against grpc.NewClient: what it accepts, grpc
// dials in the same way.
func FuzzNewClient(f *testing.F) {
	for _, s := range []string{"localhost:50051", "dns:///a?b#c", "consul:8500", "consul:x", "[::1]:80", "unix:@x", "a\x00", "://", "//", "%zz", "checked:good"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, target string) {
		got, err := evenkeel.NewClient(target, insecureCreds)
		if err != nil {
			return
		}
		defer closeClient(t, got)
		want, err := grpc.NewClient(target, insecureCreds)
		if err != nil {
			t.Fatalf("NewClient(%q) = nil, but grpc says %v", target, err)
		}
		defer closeClient(t, want)
		if got.CanonicalTarget() != want.CanonicalTarget() {
			t.Errorf("NewClient(%q) dials %s, want %s", target, got.CanonicalTarget(), want.CanonicalTarget())
		}
	})
}

// FuzzPassword looks for a password in the errors, wherever it may end up when
// the characters around it are not escaped.
func FuzzPassword(f *testing.F) {
	for _, s := range []string{"", "/", "?", "#", "%zz", "@", "=", "?a=", " ", "\n", "]", "\""} {
		f.Add("consul://user:", s, "@host/x")
		f.Add("checked:user:"+s, s, "@host//x")
		f.Add("checked:///x?token=", s, "&"+s)
	}
	f.Fuzz(func(t *testing.T, before, around, after string) {
		user := strings.HasSuffix(before, ":") && strings.HasPrefix(after, "@")
		token := strings.HasSuffix(before, "?token=") && !strings.ContainsAny(around, "&;=") && strings.HasPrefix(after, "&")
		if !user && !token {
			return
		}
		target := before + around + "5ecret" + around + after
		if _, err := evenkeel.NewClient(target, insecureCreds); err != nil && strings.Contains(err.Error(), "5ecret") {
			t.Errorf("NewClient(%q) = %v, want an error without the password", target, err)
		}
	})
}

func closeClient(tb testing.TB, cc *grpc.ClientConn) {
	tb.Helper()
	if err := cc.Close(); err != nil {
		tb.Error(err)
	}
}
