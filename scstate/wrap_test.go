package scstate_test

import (
	"encoding/json"
	"errors"
	"testing"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/serviceconfig"

	"github.com/evenkeel-grpc/evenkeel/scstate"
)

// parsingPolicy is a fakePolicy whose builder parses configs.
type parsingPolicy struct{ fakePolicy }

type parsedConfig struct {
	serviceconfig.LoadBalancingConfig
	json string
}

var errConfig = errors.New("fake: bad config")

func (*parsingPolicy) ParseConfig(js json.RawMessage) (serviceconfig.LoadBalancingConfig, error) {
	if string(js) == "bad" {
		return nil, errConfig
	}
	return parsedConfig{json: string(js)}, nil
}

func TestWrapWrapsOnce(t *testing.T) {
	for _, b := range []balancer.Builder{&fakePolicy{}, &parsingPolicy{}} {
		once := scstate.Wrap(b, scstate.Detached())
		if twice := scstate.Wrap(once); twice != once {
			t.Errorf("Wrap(Wrap(%T)) is another builder: two feeds around each balancer", b)
		}
	}
}

func TestNilsAreIgnored(t *testing.T) {
	p := &fakePolicy{}
	scstate.Wrap(p, nil, scstate.Detached(), nil).Build(&fakeClientConn{}, balancer.BuildOptions{})
	if scstate.Post(p.cc, nil) {
		t.Error("Post(nil) = true, want false")
	}
}

func TestWrapped(t *testing.T) {
	p := &fakePolicy{}
	base := &fakeClientConn{}
	scstate.Wrap(p).Build(base, balancer.BuildOptions{})
	embedding := struct{ balancer.ClientConn }{p.cc}
	if !scstate.Wrapped(p.cc) || scstate.Wrapped(base) || scstate.Wrapped(embedding) || scstate.Wrapped(nil) {
		t.Error("want Wrapped true of the ClientConn in Build alone")
	}
}

func TestWrapKeepsTheName(t *testing.T) {
	if got, want := scstate.Wrap(&fakePolicy{}).Name(), "scstate_fake"; got != want {
		t.Errorf("Name of a policy without ConfigParser = %q, want %q", got, want)
	}
	if got, want := scstate.Wrap(&parsingPolicy{}).Name(), "scstate_fake"; got != want {
		t.Errorf("Name of a policy with ConfigParser = %q, want %q", got, want)
	}
}

func TestWrapKeepsConfigParserExactly(t *testing.T) {
	for _, opts := range [][]scstate.Option{nil, {scstate.Detached()}} {
		if _, ok := scstate.Wrap(&fakePolicy{}, opts...).(balancer.ConfigParser); ok {
			t.Error("a policy without ConfigParser has one when it is wrapped")
		}
		p, ok := scstate.Wrap(&parsingPolicy{}, opts...).(balancer.ConfigParser)
		if !ok {
			t.Fatal("a policy with ConfigParser has none when it is wrapped")
		}
		cfg, err := p.ParseConfig(json.RawMessage(`{"a":1}`))
		if got, ok := cfg.(parsedConfig); err != nil || !ok || got.json != `{"a":1}` {
			t.Errorf("ParseConfig = %v, %v, want the policy's own result", cfg, err)
		}
		if cfg, err := p.ParseConfig(json.RawMessage("bad")); cfg != nil || !errors.Is(err, errConfig) {
			t.Errorf("ParseConfig(bad) = %v, %v, want nil, %v", cfg, err, errConfig)
		}
	}
}

// noPolicy is a builder that builds nothing, though not before it has created a
// SubConn.
type noPolicy struct {
	fakePolicy
	fake *fakeSubConn
	t    testing.TB
}

func (p *noPolicy) Build(cc balancer.ClientConn, o balancer.BuildOptions) balancer.Balancer {
	p.fakePolicy.Build(cc, o)
	_, p.fake = p.newSubConn(p.t, "sc")
	p.fake.report(connectivity.Connecting)
	return nil
}

func TestABuildThatReturnsNil(t *testing.T) {
	inEachMode(t, func(t bubble) {
		p := &noPolicy{t: t}
		// The interface itself has to be nil: grpc compares it.
		if b := scstate.Wrap(p, t.opts...).Build(&fakeClientConn{}, balancer.BuildOptions{}); b != nil {
			t.Errorf("Build = %v, want nil", b)
		}
		p.fake.report(connectivity.Ready)
		if scstate.Post(p.cc, func() {}) {
			t.Error("Post to a policy that was not built = true, want false")
		}
		if got := p.calls(); len(got) != 0 {
			t.Errorf("calls = %q, want none", got)
		}
	})
}

func TestBuildPassesItsOptionsOn(t *testing.T) {
	want := balancer.BuildOptions{Authority: "a.example", CustomUserAgent: "agent"}
	var got balancer.BuildOptions
	p := &optionsPolicy{got: &got}
	scstate.Wrap(p).Build(&fakeClientConn{}, want)
	if got.Authority != want.Authority || got.CustomUserAgent != want.CustomUserAgent {
		t.Errorf("options in Build = %+v, want %+v", got, want)
	}
}

type optionsPolicy struct {
	fakePolicy
	got *balancer.BuildOptions
}

func (p *optionsPolicy) Build(cc balancer.ClientConn, o balancer.BuildOptions) balancer.Balancer {
	*p.got = o
	return p.fakePolicy.Build(cc, o)
}
