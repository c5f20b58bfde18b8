package main

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"migrate/internal/datagen"
	"migrate/internal/localorg"
)

func (a *app) orgCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "org",
		Short: "Log in to orgs under a name, the jobs that an org keeps, and the local org",
		Args:  cobra.NoArgs, // a word that is no command of it
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.orgLoginCommand(), a.orgListCommand(), a.orgLogoutCommand(), a.orgJobsCommand(), a.orgServeCommand(), a.orgDataCommand())
	return cmd
}

func (a *app) orgServeCommand() *cobra.Command {
	var (
		cfg          localorg.Config
		at           listenAt
		keyFile      string
		schema       string
		chosen, bad  []string
		noAuditField bool
	)
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve the local org on a loopback port, for trying things out and for other clients",
		Long: "Serve the local org on a loopback port, for trying things out and for other clients.\n" +
			"Its token is the value of MIGRATE_ACCESS_TOKEN, or \"local\" when that is not set. MIGRATE_CLIENT_SECRET, MIGRATE_PASSWORD and\n" +
			"MIGRATE_SECURITY_TOKEN open the other ways to log in. No secret is taken from the command line.\n\n" +
			"Salesforce's documents are silent on some points; --choice, which may be repeated, takes the other way at one of them:\n  " +
			strings.Join(slices.Sorted(maps.Keys(choices(&cfg))), " "),
		Example: "  migrate org serve --data org --tls\n" +
			"  migrate org serve --schema snapshots --choice no-gzip --fault '{\"endpoint\":\"PUT *\",\"kind\":\"lose reply\",\"times\":3}'",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			for name, secret := range map[string]*string{"MIGRATE_ACCESS_TOKEN": &cfg.AccessToken, "MIGRATE_CLIENT_SECRET": &cfg.ClientSecret,
				"MIGRATE_PASSWORD": &cfg.Password, "MIGRATE_SECURITY_TOKEN": &cfg.SecurityToken} {
				if *secret, err = a.secret(cmd.Context(), name); err != nil {
					return err
				}
			}
			if cfg.AccessToken == "" {
				cfg.AccessToken = "local"
			}
			if keyFile != "" {
				if cfg.JWTKey, err = readPublicKey(keyFile); err != nil {
					return usagef("--jwt-public-key-file: %w", err)
				}
			}
			if schema != "" {
				cfg.Schema = os.DirFS(schema)
			}
			if noAuditField {
				cfg.AuditFields = new(bool)
			}
			all := choices(&cfg)
			for _, name := range chosen {
				if all[name] == nil {
					return usagef("--choice %q: one of %s", name, strings.Join(slices.Sorted(maps.Keys(all)), ", "))
				}
				*all[name] = true
			}
			faults, err := parseFaults(bad)
			if err != nil {
				return err
			}
			return a.serve(cmd.Context(), cfg, at, faults)
		},
	}
	f := cmd.Flags()
	f.StringVar(&at.addr, "listen", "127.0.0.1:8181", "loopback address; port 0 takes a free one")
	f.StringVar(&cfg.Dir, "data", "", "folder that keeps the org across restarts (default: in memory)")
	f.StringVar(&schema, "schema", "", "folder of describe snapshots, as describe --snapshot writes them (default: the built-in objects)")
	f.BoolVar(&at.tls, "tls", false, "serve https (TLS 1.3) with a certificate made here, and print which file clients must trust")
	f.StringVar(&at.cert, "tls-cert", "", "serve https with this certificate (PEM) instead")
	f.StringVar(&at.key, "tls-key", "", "its private key (PEM)")
	f.StringVar(&cfg.ClientID, "client-id", "", "client accepted by the token endpoint; its secret is MIGRATE_CLIENT_SECRET")
	f.StringVar(&keyFile, "jwt-public-key-file", "", "PEM file with the RSA public key or certificate that checks JWT logins")
	f.StringArrayVar(&cfg.RedirectURIs, "redirect-uri", nil, "where a web login may send the browser, besides this machine; may be repeated")
	f.DurationVar(&cfg.TokenLife, "token-life", 0, "how long a token from a login works (default 2h)")
	f.Uint64Var(&cfg.Seed, "seed", 1, "decides ids and the order of results")
	f.DurationVar(&cfg.StartDelay, "start-delay", 0, "time that a closed job waits before it is processed")
	f.DurationVar(&cfg.BatchTime, "batch-time", 0, "service time of an internal batch of 10,000 rows")
	f.IntVar(&cfg.Slots, "slots", 4, "internal batches processed at once")
	f.Int64Var(&cfg.DailyAPI, "daily-api", 0, "requests allowed in 24 hours (default 100,000)")
	f.Int64Var(&cfg.DailyBatches, "daily-batches", 0, "internal batches allowed in 24 hours (default 15,000)")
	f.Int64Var(&cfg.DailyRecords, "daily-records", 0, "ingested rows allowed in 24 hours (default 150,000,000)")
	f.BoolVar(&cfg.KeepOrder, "keep-order", false, "results in upload order instead of shuffled")
	f.BoolVar(&noAuditField, "no-audit-fields", false, "CreatedDate and its like may not be set on insert")
	f.StringArrayVar(&chosen, "choice", nil, "a choice by its name, see above; may be repeated")
	f.StringArrayVar(&bad, "fault", nil, "make calls fail, as JSON; see the example; may be repeated")
	return cmd
}

// choices are the yes/no settings of an org by their names on the command line: NoGzip is no-gzip.
func choices(cfg *localorg.Config) map[string]*bool {
	all := map[string]*bool{}
	v := reflect.ValueOf(cfg).Elem()
	for i := range v.NumField() {
		if p, ok := v.Field(i).Addr().Interface().(*bool); ok && p != &cfg.KeepOrder {
			name := wordStart.ReplaceAllString(v.Type().Field(i).Name, "$1-$2")
			all[strings.ToLower(name)] = p
		}
	}
	return all
}

var wordStart = regexp.MustCompile(`([a-z])([A-Z])`)

// parseFaults reads faults in the form of POST /local/faults.
func parseFaults(texts []string) ([]localorg.Fault, error) {
	faults := make([]localorg.Fault, len(texts))
	for i, text := range texts {
		d := json.NewDecoder(strings.NewReader(text))
		d.DisallowUnknownFields()
		if err := d.Decode(&faults[i]); err != nil {
			return nil, usagef("--fault %s: %w", text, err)
		}
	}
	return faults, nil
}

// warnDangling tells which lookups of the org no value fits.
func (a *app) warnDangling(org *localorg.Org) {
	list := org.Dangling()
	if len(list) == 0 {
		return
	}
	const most = 8
	more := ""
	if len(list) > most {
		more = fmt.Sprintf(" and %d more", len(list)-most)
		list = list[:most]
	}
	text := fmt.Sprintf("no value fits the lookups %s%s: there is no snapshot of the objects that they point to; describe --related --snapshot takes them along",
		strings.Join(list, ", "), more)
	a.warn(text)
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
