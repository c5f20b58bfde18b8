package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"migrate/internal/localorg"
)

// listenAt is where and how the local org is served.
type listenAt struct {
	addr      string
	cert, key string // PEM files
	tls       bool   // without them, a certificate of its own
	folder    string // where that one is kept; "" for a folder that goes with the process
}

// check looks at what can be told before the org is opened.
func (l listenAt) check() error {
	host, _, err := net.SplitHostPort(l.addr)
	if err != nil {
		return usagef("--listen: %w", err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return usagef("--listen %s: only loopback addresses, such as 127.0.0.1:8181", l.addr)
	}
	if (l.cert == "") != (l.key == "") {
		return usagef("--tls-cert and --tls-key go together")
	}
	return nil
}

// secure gives the server's certificate, nil for plain http, and where a client finds what it must trust, if it is one of our own.
func (l *listenAt) secure() (pair *tls.Certificate, trust string, err error) {
	own := l.tls && l.cert == ""
	if own {
		l.cert, l.key = filepath.Join(l.folder, "tls-cert.pem"), filepath.Join(l.folder, "tls-key.pem")
		trust = l.cert
	}
	if l.cert == "" {
		return nil, "", nil
	}
	loaded, err := tls.LoadX509KeyPair(l.cert, l.key)
	switch {
	case err == nil && (!own || time.Until(loaded.Leaf.NotAfter) > certLife/2):
		return &loaded, trust, nil
	case !own:
		return nil, "", usagef("--tls-cert, --tls-key: %w", err)
	}
	if err := writeCertificate(l.cert, l.key); err != nil {
		return nil, "", fmt.Errorf("make a certificate: %w", err)
	}
	loaded, err = tls.LoadX509KeyPair(l.cert, l.key)
	return &loaded, trust, err
}

const certLife = 365 * 24 * time.Hour

// writeCertificate makes a key and a certificate for this machine that is signed by itself.
func writeCertificate(certFile, keyFile string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return err
	}
	now := time.Now()
	template := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: "migrate local org"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(certLife),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IsCA: true, BasicConstraintsValid: true}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := writeWhole(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})); err != nil {
		return err
	}
	return writeWhole(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}))
}

// serve runs a local org until the context ends. It listens on a loopback address only: the local org is no server for a network.
func (a *app) serve(ctx context.Context, cfg localorg.Config, at listenAt, faults []localorg.Fault) (err error) {
	if err := at.check(); err != nil {
		return err
	}
	org, err := localorg.Open(cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, org.Close()) }()
	for _, f := range faults {
		if err := org.Fault(f); err != nil {
			return usagef("--fault: %w", err)
		}
	}
	if at.folder = cfg.Dir; at.folder == "" && at.tls {
		if at.folder, err = os.MkdirTemp("", "migrate-org-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(at.folder)) }()
	}
	pair, trust, err := at.secure()
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", at.addr)
	if err != nil {
		return err
	}
	scheme := "http"
	if pair != nil {
		scheme = "https"
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{*pair}, MinVersion: tls.VersionTLS13, NextProtos: []string{"http/1.1"}})
	}
	fmt.Fprintf(a.stdout, "local org at %s://%s (not Salesforce); Ctrl-C ends it\n", scheme, l.Addr())
	if trust != "" {
		fmt.Fprintf(a.stdout, "clients must trust its certificate: %s\n", trust)
	}
	a.warnDangling(org)
	srv := &http.Server{Handler: org, ReadHeaderTimeout: 10 * time.Second}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		stopped <- srv.Close()
	}()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}
