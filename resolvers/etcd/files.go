package etcd

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// identity is an access with the contents of its files: what a client is made
// from, and told apart by.
type identity struct {
	access
	ca, cert, key string // PEM
	password      string
}

// load reads the files. Its errors show their names, never what is in them.
func (a access) load() (identity, error) {
	id := identity{access: a}
	for _, f := range []struct {
		param, name string
		to          *string
	}{
		{"ca-file", a.caFile, &id.ca},
		{"cert-file", a.certFile, &id.cert},
		{"key-file", a.keyFile, &id.key},
		{"password-file", a.passwordFile, &id.password},
	} {
		if f.name == "" {
			continue
		}
		content, err := os.ReadFile(f.name)
		if err != nil {
			return id, fmt.Errorf("%s: %w", f.param, err)
		}
		*f.to = string(content)
	}
	// The newline that editors put at the end is no part of a password.
	id.password = string(bytes.TrimRight([]byte(id.password), "\r\n"))
	if a.passwordFile != "" && id.password == "" {
		return id, fmt.Errorf("password-file %q is empty", a.passwordFile)
	}
	return id, nil
}

// tlsConfig returns nil for a connection in the clear.
func (id identity) tlsConfig() (*tls.Config, error) {
	if !id.tls() {
		return nil, nil //nolint:nilnil // what clientv3.Config takes for "none"
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: id.serverName}
	if id.caFile != "" {
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM([]byte(id.ca)) {
			return nil, fmt.Errorf("ca-file %q: no certificate in PEM format", id.caFile)
		}
	}
	if id.certFile != "" {
		pair, err := tls.X509KeyPair([]byte(id.cert), []byte(id.key))
		if err != nil {
			return nil, fmt.Errorf("cert-file %q and key-file %q: %w", id.certFile, id.keyFile, errors.New("no pair of certificate and key in PEM format"))
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	return cfg, nil
}
