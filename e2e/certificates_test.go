package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// certificates are the files of an authority, a server and a client that it has
// signed.
type certificates struct {
	pool                  *x509.CertPool
	ca                    string
	serverCert, serverKey string
	clientCert, clientKey string
}

func newCertificates(tb testing.TB) *certificates {
	tb.Helper()
	dir := tb.TempDir()
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	authorityKey := newSigner(tb)
	c := &certificates{pool: x509.NewCertPool()}
	c.ca = sign(tb, dir, "ca", authority, authority, authorityKey, authorityKey)
	parsed, err := os.ReadFile(c.ca)
	if err != nil {
		tb.Fatal(err)
	}
	c.pool.AppendCertsFromPEM(parsed)

	issue := func(name string) (cert, key string) {
		k := newSigner(tb)
		leaf := &x509.Certificate{
			SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name},
			IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"etcd.internal"},
			KeyUsage:    x509.KeyUsageDigitalSignature,
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		}
		cert = sign(tb, dir, name, leaf, authority, k, authorityKey)
		der, err := x509.MarshalECPrivateKey(k)
		if err != nil {
			tb.Fatal(err)
		}
		return cert, writePEM(tb, filepath.Join(dir, name+".key"), "EC PRIVATE KEY", der)
	}
	c.serverCert, c.serverKey = issue("server")
	c.clientCert, c.clientKey = issue("client")
	return c
}

func newSigner(tb testing.TB) *ecdsa.PrivateKey {
	tb.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

func sign(tb testing.TB, dir, name string, cert, parent *x509.Certificate, key, parentKey *ecdsa.PrivateKey) string {
	tb.Helper()
	cert.NotBefore, cert.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, cert, parent, key.Public(), parentKey)
	if err != nil {
		tb.Fatal(err)
	}
	return writePEM(tb, filepath.Join(dir, name+".crt"), "CERTIFICATE", der)
}

func writePEM(tb testing.TB, path, kind string, der []byte) string {
	tb.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}
