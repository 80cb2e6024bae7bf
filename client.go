package evenkeel

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"unicode"

	"google.golang.org/grpc"
	"google.golang.org/grpc/resolver"

	"github.com/evenkeel-grpc/evenkeel/registry"
)

// WithServiceConfig is grpc.WithDefaultServiceConfig with a check: [NewClient]
// refuses a config in which registry.CheckServiceConfig finds a problem. Given
// several times, the last one counts. To other functions than NewClient it is
// the option of grpc.
func WithServiceConfig(json string) grpc.DialOption {
	return serviceConfig{grpc.WithDefaultServiceConfig(json), json}
}

// serviceConfig keeps the config readable, which grpc's options are not. The
// embedded option makes it one that grpc accepts.
type serviceConfig struct {
	grpc.DialOption
	json string
}

// NewClient is grpc.NewClient with checks. It returns an error that says what
// would be accepted if the target or a service config is not; see the package
// documentation. It does no I/O.
func NewClient(target string, opts ...grpc.DialOption) (*grpc.ClientConn, error) {
	opts = expand(opts)
	if err := checkOptions(opts); err != nil {
		return nil, err
	}
	if err := checkSyntax(target); err != nil {
		return nil, err
	}
	// The ClientConn is idle: it knows its resolver, but has not built it.
	asked := new(probe)
	cc, err := grpc.NewClient(seal(target), append(opts, grpc.WithResolvers(asked))...)
	if bad := checkScheme(target, asked.times); bad != nil {
		err = bad // It comes first, also of what is wrong with the options.
	} else if err == nil {
		err = checkResolver(target, cc.CanonicalTarget(), asked.times)
	} else if _, ok := errors.AsType[*url.Error](err); ok { // It quotes the target.
		err = malformed(target, err)
	}
	if err != nil && cc != nil {
		_ = cc.Close() // Nothing has used it.
		cc = nil
	}
	return cc, err
}

// expand returns opts with each option that stands for several replaced by those,
// followed by the stats handlers that registered balancers ask for.
func expand(opts []grpc.DialOption) []grpc.DialOption {
	var all []grpc.DialOption
	for _, o := range opts {
		if several, ok := o.(interface{ DialOptions() []grpc.DialOption }); ok {
			all = append(all, several.DialOptions()...)
			continue
		}
		all = append(all, o)
	}
	for _, h := range registry.Default.StatsHandlers() {
		all = append(all, grpc.WithStatsHandler(h))
	}
	return all
}

// checkOptions refuses what grpc would panic on, and a config that is not good.
func checkOptions(opts []grpc.DialOption) error {
	var last *serviceConfig // As in grpc, the last one wins.
	for i, o := range opts {
		if o == nil {
			return fmt.Errorf("evenkeel: dial option %d is nil", i)
		}
		if sc, ok := o.(serviceConfig); ok {
			last = &sc
		}
	}
	if last == nil {
		return nil
	}
	if err := registry.CheckServiceConfig(last.json); err != nil {
		return fmt.Errorf("evenkeel: %w", err)
	}
	return nil
}

// checkSyntax refuses what cannot be a target. grpc gives a target that does not
// parse to its default resolver, because "10.0.0.1:80" does not parse either.
func checkSyntax(target string) error {
	_, err := url.Parse(target)
	if err != nil && (hasScheme.MatchString(target) || strings.ContainsFunc(target, unicode.IsControl)) {
		return malformed(target, err)
	}
	return nil
}

// hasScheme matches what was meant to have a scheme, whatever that is.
var hasScheme = regexp.MustCompile(`^[^/?#]*://`)

// seal takes the secrets out of a target, if its resolver can do with less. What
// is left is all that grpc gets to see, and to log.
func seal(target string) string {
	u, err := url.Parse(target)
	if err != nil {
		return target
	}
	b, _ := registry.Default.Resolver(u.Scheme)
	s, ok := b.(registry.TargetSealer)
	if !ok {
		return target
	}
	if sealed, ok := s.SealTarget(*u); ok {
		return sealed.String()
	}
	return target
}

// checkScheme refuses a target with a scheme that is not registered. Without
// slashes it has to be the scheme of a known plugin: in "localhost:80", and in
// "consul:8500" too, it is a host. Probed is how often grpc came to the probe.
func checkScheme(target string, probed int) error {
	u, _ := url.Parse(target)
	if u == nil || u.Scheme == "" || probed == 0 {
		return nil // No scheme, or one of the channel's own resolvers.
	}
	_, err := registry.Default.Resolver(u.Scheme)
	unknown, ok := errors.AsType[*registry.UnknownError](err)
	if !ok {
		return nil
	}
	known := unknown.Nearest == u.Scheme && !portPattern.MatchString(u.Opaque)
	if !known && !hasScheme.MatchString(target) {
		return nil
	}
	return fmt.Errorf("evenkeel: target %q: %w", redact(target), err)
}

// checkResolver asks the resolver that grpc chose about the target. Canonical is
// what grpc made of the target.
func checkResolver(target, canonical string, probed int) error {
	scheme, _, _ := strings.Cut(canonical, "://")
	u, err := url.Parse(target)
	lookups := 1
	if err != nil || u.Scheme != scheme { // grpc chose its default scheme.
		if err == nil {
			lookups = 2 // of the target's scheme, then of the default one
		}
		if u, err = url.Parse(scheme + ":///" + target); err != nil {
			return malformed(target, err)
		}
	}
	if probed < lookups {
		return nil // A resolver from grpc.WithResolvers, which nobody else can see.
	}
	// An error here means that grpc's registry has another builder than ours.
	b, err := registry.Default.Resolver(scheme)
	if c, ok := b.(registry.TargetChecker); ok {
		err = c.CheckTarget(resolver.Target{URL: *u})
	}
	if err == nil && canonical == "dns:///" {
		err = errors.New(`no host: want a name or address, such as "dns:///example.com:443"`)
	}
	if err != nil {
		return fmt.Errorf("evenkeel: target %q: %w", redact(target), err)
	}
	return nil
}

// portPattern matches what makes host:port of what looks like a scheme.
var portPattern = regexp.MustCompile(`^[0-9]+$`)

// probe is a resolver without a scheme, added after the channel's own. grpc asks
// it for its scheme if none of those fits, and looks into its registry next.
type probe struct {
	resolver.Builder
	times int
}

func (p *probe) Scheme() string {
	p.times++
	return "(none)"
}

// malformed is the error for a target that does not parse. It leaves out
// url.Error itself, which has the whole target.
func malformed(target string, err error) error {
	if bad, ok := errors.AsType[*url.Error](err); ok {
		err = bad.Err
	}
	reason := strings.TrimPrefix(err.Error(), "net/url: ")
	if strings.ContainsAny(target, "@?#") {
		reason = quoted.ReplaceAllString(reason, "...") // Maybe a piece of a password.
	}
	return fmt.Errorf("evenkeel: malformed target %q: %s: want scheme://authority/endpoint or host:port", redact(target), reason)
}

// quoted matches what strconv.Quote returns.
var quoted = regexp.MustCompile(`"(\\.|[^"\\])*"`)

// redact hides the user info and the values of the parameters of a target, and
// whatever could be either: everything before the last @.
func redact(target string) string {
	start := len(prefix.FindString(target))
	if at := strings.LastIndex(target, "@"); at >= start {
		if strings.ContainsAny(target[:at], "?#") {
			return target[:start] + "xxxxx" // A parameter, or a password that has to be escaped.
		}
		target = target[:start] + "xxxxx" + target[at:]
	}
	target, _, _ = strings.Cut(target, "#")
	place, params, ok := strings.Cut(target, "?")
	if !ok {
		return place
	}
	return place + "?" + parameter.ReplaceAllString(params, "${1}xxxxx")
}

var (
	// prefix matches a scheme, and what comes before user info.
	prefix = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9+.-]*:)?(//)?`)
	// parameter matches a parameter, its name in the group. A name without a
	// value may be a value that lacks its name.
	parameter = regexp.MustCompile(`([^&;=]*=)?[^&;]+`)
)
