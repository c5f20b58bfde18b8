package main

import (
	"context"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"

	"migrate/internal/datagen"
	"migrate/internal/localorg"
)

func (a *app) orgCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "org",
		Short: "Orgs, the local one above all",
		Args:  cobra.NoArgs, // a word that is no command of it
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.orgServeCommand(), a.orgDataCommand())
	return cmd
}

func (a *app) orgServeCommand() *cobra.Command {
	var (
		cfg     localorg.Config
		at      listenAt
		keyFile string
		schema  string
	)
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve the local org on a loopback port, for trying things out and for other clients",
		Long: "Serve the local org on a loopback port, for trying things out and for other clients.\n" +
			"Its token is the value of MIGRATE_ACCESS_TOKEN, or \"local\" when that is not set.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			token, err := a.secret("MIGRATE_ACCESS_TOKEN")
			if err != nil {
				return err
			}
			if token == "" {
				token = "local"
			}
			cfg.AccessToken = token
			if cfg.ClientSecret, err = a.secret("MIGRATE_CLIENT_SECRET"); err != nil {
				return err
			}
			if keyFile != "" {
				if cfg.JWTKey, err = readPublicKey(keyFile); err != nil {
					return usagef("--jwt-public-key-file: %w", err)
				}
			}
			if cfg.Password, err = a.secret("MIGRATE_PASSWORD"); err != nil {
				return err
			}
			if cfg.SecurityToken, err = a.secret("MIGRATE_SECURITY_TOKEN"); err != nil {
				return err
			}
			if schema != "" {
				cfg.Schema = os.DirFS(schema)
			}
			return a.serve(cmd.Context(), cfg, at)
		},
	}
	f := cmd.Flags()
	f.StringVar(&at.addr, "listen", "127.0.0.1:8181", "loopback address; port 0 takes a free one")
	f.StringVar(&cfg.Dir, "data", "", "folder that keeps the org across restarts (default: in memory)")
	f.StringVar(&at.cert, "tls-cert", "", "PEM file of the certificate: serve https, TLS 1.3")
	f.StringVar(&at.key, "tls-key", "", "PEM file of its private key")
	f.StringVar(&schema, "schema", "", "folder of describe snapshots, one OBJECT.json each; migrate describe --snapshot writes them (default: the built-in objects)")
	f.StringVar(&cfg.ClientID, "client-id", "", "client accepted by the token endpoint; its secret is MIGRATE_CLIENT_SECRET")
	f.StringVar(&keyFile, "jwt-public-key-file", "", "PEM file with the RSA public key or certificate that checks JWT logins")
	f.Uint64Var(&cfg.Seed, "seed", 1, "decides ids and the order of results")
	f.DurationVar(&cfg.StartDelay, "start-delay", 0, "time that a closed job waits before it is processed")
	f.DurationVar(&cfg.BatchTime, "batch-time", 0, "service time of an internal batch of 10,000 rows")
	f.IntVar(&cfg.Slots, "slots", 4, "internal batches processed at once")
	f.BoolVar(&cfg.KeepOrder, "keep-order", false, "results in upload order instead of shuffled")
	return cmd
}

// listenAt is where and how the local org is served.
type listenAt struct {
	addr      string
	cert, key string // PEM files; "" for plain http
}

// tls is the server's configuration; nil for plain http.
func (l listenAt) tls() (*tls.Config, error) {
	switch {
	case l.cert == "" && l.key == "":
		return nil, nil
	case l.cert == "" || l.key == "":
		return nil, usagef("--tls-cert and --tls-key go together")
	}
	pair, err := tls.LoadX509KeyPair(l.cert, l.key)
	if err != nil {
		return nil, usagef("--tls-cert, --tls-key: %w", err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13, NextProtos: []string{"http/1.1"}}, nil
}

// serve listens on a loopback address only: the local org is no server for a network.
func (a *app) serve(ctx context.Context, cfg localorg.Config, at listenAt) (err error) {
	host, _, err := net.SplitHostPort(at.addr)
	if err != nil {
		return usagef("--listen: %w", err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return usagef("--listen %s: only loopback addresses, such as 127.0.0.1:8181", at.addr)
	}
	secure, err := at.tls()
	if err != nil {
		return err
	}
	org, err := localorg.Open(cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, org.Close()) }()
	l, err := net.Listen("tcp", at.addr)
	if err != nil {
		return err
	}
	scheme := "http"
	if secure != nil {
		scheme, l = "https", tls.NewListener(l, secure)
	}
	fmt.Fprintf(a.stdout, "local org at %s://%s (not Salesforce); Ctrl-C ends it\n", scheme, l.Addr())
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

func readPublicKey(path string) (*rsa.PublicKey, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, fmt.Errorf("%s holds no PEM block", path)
	}
	if block.Type == "CERTIFICATE" {
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		if key, ok := cert.PublicKey.(*rsa.PublicKey); ok {
			return key, nil
		}
		return nil, fmt.Errorf("%s: the certificate holds no RSA key", path)
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	if key, ok := key.(*rsa.PublicKey); ok {
		return key, nil
	}
	return nil, fmt.Errorf("%s holds no RSA key", path)
}

// orgDataCommand writes rows for trying things out and for benchmarks.
func (a *app) orgDataCommand() *cobra.Command {
	var rows int
	var seed uint64
	cmd := &cobra.Command{
		Use:   "data",
		Short: "Write made-up accounts as CSV to stdout",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if rows < 0 {
				return usagef("--rows %d: the number of rows", rows)
			}
			return datagen.Accounts(a.stdout, seed, rows)
		},
	}
	cmd.Flags().IntVar(&rows, "rows", 1000, "number of rows")
	cmd.Flags().Uint64Var(&seed, "seed", 1, "same seed, same rows")
	return cmd
}
