package consul

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/evenkeel-grpc/evenkeel/internal/secret"
)

// client is a client of Consul's, ready for use from any goroutine.
type client struct {
	*api.Client
	transport *http.Transport // that is closed with it; nil if it is the user's
	tokenFile string          // empty if the token does not come from a file
	secrets   []secret.Text   // what its errors must not show
	anonymous bool            // whether it is known to have no token
}

// newClient reads the files that the access names, and nothing else: it connects
// to nobody.
func newClient(from origin) (*client, error) {
	b := from.builder
	if b != nil && b.client != nil {
		return &client{Client: b.client}, nil
	}
	cfg := api.DefaultConfig() // reads the environment
	cfg.Transport = nil
	if b != nil && b.config != nil {
		cfg = cloneConfig(b.config)
	}
	from.access.apply(cfg)
	c := &client{}
	if err := c.setSecrets(cfg); err != nil {
		return nil, err
	}
	if err := c.setTransport(cfg); err != nil {
		return nil, err
	}
	var err error
	if c.Client, err = api.NewClient(cfg); err != nil {
		return nil, errors.New(secret.Hide(err.Error(), c.secrets...))
	}
	return c, nil
}

// setSecrets makes the client read its token from a file at each request if
// there is one, and remember what to hide.
func (c *client) setSecrets(cfg *api.Config) error {
	if cfg.Token == "" && cfg.TokenFile == "" { // as api.NewClient would do
		env := api.DefaultConfig()
		cfg.Token, cfg.TokenFile = env.Token, env.TokenFile
	}
	c.tokenFile, cfg.TokenFile = cfg.TokenFile, ""
	if c.tokenFile != "" {
		token, err := c.token()
		if err != nil {
			return err
		}
		cfg.Token = token.Reveal()
	}
	c.anonymous = cfg.Token == ""
	c.secrets = []secret.Text{secret.New(cfg.Token)}
	if cfg.HttpAuth != nil {
		c.secrets = append(c.secrets, secret.New(cfg.HttpAuth.Password))
	}
	return nil
}

// setTransport gives the config a transport of our own, unless it has an HTTP
// client of the user's.
func (c *client) setTransport(cfg *api.Config) error {
	if cfg.HttpClient != nil {
		return nil
	}
	if cfg.Transport == nil {
		cfg.Transport = newTransport()
	}
	c.transport = cfg.Transport
	hc, err := api.NewHttpClient(c.transport, cfg.TLSConfig)
	if err != nil {
		return fmt.Errorf("TLS: %w", err)
	}
	hc.Transport = patient{c.transport}
	cfg.HttpClient = hc
	return nil
}

// cloneConfig returns a copy whose transport can be closed without harm to the
// user's.
func cloneConfig(user *api.Config) *api.Config {
	cfg := *user
	if cfg.Transport != nil {
		cfg.Transport = cfg.Transport.Clone()
	}
	return &cfg
}

// apply sets what the target says.
func (a access) apply(cfg *api.Config) {
	set(&cfg.Address, a.addr)
	set(&cfg.Scheme, a.scheme)
	set(&cfg.TLSConfig.CAFile, a.caFile)
	set(&cfg.TLSConfig.CertFile, a.certFile)
	set(&cfg.TLSConfig.KeyFile, a.keyFile)
	set(&cfg.TLSConfig.Address, a.serverName)
	if a.insecure {
		cfg.TLSConfig.InsecureSkipVerify = true
	}
	if a.user != "" || a.password != noSecret {
		cfg.HttpAuth = &api.HttpBasicAuth{Username: a.user, Password: a.password.Reveal()}
	}
	if a.token != noSecret || a.tokenFile != "" {
		cfg.Token, cfg.TokenFile = a.token.Reveal(), a.tokenFile
	}
}

func set(field *string, value string) {
	if value != "" {
		*field = value
	}
}

const (
	// dialTimeout covers one repeated SYN.
	dialTimeout = 2 * time.Second
	// A connection that died in silence is noticed after some 10 s.
	keepAliveIdle, keepAliveInterval, keepAliveCount = 5 * time.Second, time.Second, 5
)

// newTransport returns a transport that notices soon if it cannot reach Consul.
func newTransport() *http.Transport {
	d := &net.Dialer{
		Timeout: dialTimeout,
		KeepAliveConfig: net.KeepAliveConfig{
			Enable: true, Idle: keepAliveIdle, Interval: keepAliveInterval, Count: keepAliveCount,
		},
	}
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         d.DialContext,
		TLSHandshakeTimeout: 5 * time.Second,
		MaxIdleConnsPerHost: 16,
		IdleConnTimeout:     90 * time.Second,
	}
}

// token returns what to send with a request, none for what the client has anyway.
func (c *client) token() (secret.Text, error) {
	if c.tokenFile == "" {
		return noSecret, nil
	}
	text, err := os.ReadFile(c.tokenFile)
	if err != nil {
		return noSecret, fmt.Errorf("token-file: %w", err)
	}
	token := strings.TrimSpace(string(text))
	if token == "" {
		return noSecret, fmt.Errorf("token-file: %s is empty", c.tokenFile)
	}
	return secret.New(token), nil
}

// close closes the connections that no request is using.
func (c *client) close() {
	if c.transport != nil {
		c.transport.CloseIdleConnections()
	}
}
