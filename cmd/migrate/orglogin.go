package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"migrate/pkg/salesforce"
)

// loginFlags are the flags of org login. No flag takes a secret.
type loginFlags struct {
	web, jwt, client, soap, refresh bool
	cli, sfdxFile                   string

	org       namedOrg // login URL, client id, user name, key file, API version
	port      int
	noBrowser bool
	timeout   time.Duration
	secrets   string
}

func (a *app) orgLoginCommand() *cobra.Command {
	var f loginFlags
	cmd := &cobra.Command{
		Use:   "login NAME",
		Short: "Log in to an org and keep the login under a name, for --org NAME",
		Long: "Log in to an org and keep the login under a name, for --org NAME and the org of a plan. Without another way it is a web login.\n\n" +
			"Secrets come from the environment, or from a file or a command that is named there:\n" +
			"  --jwt                 MIGRATE_JWT_KEY (PEM), or --jwt-key-file, whose file is then read at each login\n" +
			"  --client-credentials  MIGRATE_CLIENT_SECRET\n" +
			"  --soap                MIGRATE_PASSWORD, MIGRATE_SECURITY_TOKEN\n" +
			"  --refresh             MIGRATE_REFRESH_TOKEN, and MIGRATE_CLIENT_SECRET where the app has one\n" +
			"  --web                 MIGRATE_CLIENT_SECRET where the app has one\n" +
			"as MIGRATE_PASSWORD_FILE or MIGRATE_PASSWORD_COMMAND='pass show salesforce'. They are kept in the keyring of the operating system or,\n" +
			"where there is none, in a file that only you can read.",
		Example: "  migrate org login prod\n" +
			"  migrate org login uat --login-url https://test.salesforce.com --no-browser\n" +
			"  migrate org login ci --jwt --client-id 3MVG… --username ci@acme.example --jwt-key-file key.pem\n" +
			"  migrate org login dev --sf-cli my-alias",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.login(cmd.Context(), args[0], f)
		},
	}
	fl := cmd.Flags()
	fl.BoolVar(&f.web, loginWeb, false, "log in with the browser (the default)")
	fl.BoolVar(&f.jwt, loginJWT, false, "log in with a signed assertion; needs --client-id and --username")
	fl.BoolVar(&f.client, loginClient, false, "log in as the app itself; needs --login-url (My Domain) and --client-id")
	fl.BoolVar(&f.soap, loginSOAP, false, "log in with user name and password; needs --username")
	fl.BoolVar(&f.refresh, "refresh", false, "log in with a refresh token that an app was given; needs --client-id")
	fl.StringVar(&f.cli, loginCLI, "", "use the login of the Salesforce CLI with this alias or user name")
	fl.StringVar(&f.sfdxFile, "sfdx-url-file", "", `log in with the SFDX auth URL in this file, "-" for standard input`)
	fl.StringVar(&f.org.LoginURL, "login-url", "", "where to log in (default https://login.salesforce.com; sandboxes https://test.salesforce.com)")
	fl.StringVar(&f.org.ClientID, "client-id", "", "consumer key of the app (default for --web and --refresh: the app of the Salesforce CLI)")
	fl.StringVar(&f.org.Username, "username", "", "who logs in")
	fl.StringVar(&f.org.KeyFile, "jwt-key-file", "", "file of the RSA key (PEM)")
	fl.StringVar(&f.org.APIVersion, "api-version", "", "Salesforce API version of this org (default "+salesforce.DefaultAPIVersion+")")
	fl.IntVar(&f.port, "port", 0, "port for the browser's answer; the app must list http://localhost:PORT/OauthRedirect (default 1717 for the app of the Salesforce CLI, else a free one)")
	fl.BoolVar(&f.noBrowser, "no-browser", false, "print the address of the web login and open no browser")
	fl.DurationVar(&f.timeout, "timeout", 5*time.Minute, "how long the web login may take")
	fl.StringVar(&f.secrets, "secrets", "", "where to keep the secrets: keyring or file (default: the keyring where there is one)")
	return cmd
}

// login logs in, makes sure of who it is, and keeps what is needed for the next time.
func (a *app) login(ctx context.Context, name string, f loginFlags) error {
	if err := checkOrgName(name); err != nil {
		return err
	}
	if !slices.Contains([]string{"", inKeyring, inFile}, f.secrets) {
		return usagef("--secrets %q: keyring or file", f.secrets)
	}
	book, err := a.orgBook()
	if err != nil {
		return err
	}
	org := f.org
	org.Name = name
	if org.Login, err = f.way(); err != nil {
		return err
	}
	auth, secret, store, err := a.firstLogin(ctx, &org, f)
	if err != nil {
		return err
	}
	logger := a.logger()
	client, err := openClient(ctx, auth, "", org.APIVersion, logger)
	if err != nil {
		return fmt.Errorf("log in: %w", err)
	}
	defer client.CloseIdleConnections()
	org.InstanceURL, org.ID, org.Added = client.InstanceURL(), strings.ToLower(rand.Text()), time.Now().UTC().Truncate(time.Second)
	if store != nil { // with rotation it is another token by now
		if err := store.Renew(ctx, func(held string) (string, error) { secret.RefreshToken = held; return "", nil }); err != nil {
			return err
		}
	}
	reason, err := book.keep(context.WithoutCancel(ctx), &org, secret, f.secrets)
	if err != nil {
		return fmt.Errorf("keep the secrets: %w", errors.Join(err, book.forget(ctx, org)))
	}
	user, err := client.User(ctx)
	if err != nil { // the token works without that, where the app may not ask it
		a.warn(fmt.Sprintf("the org does not say who is logged in: %v", err))
	} else if org.Login != loginJWT && org.Login != loginSOAP { // which log in by the name that was given
		org.Username = user.Username
	}
	old, err := book.put(ctx, org)
	if err != nil {
		return errors.Join(err, book.forget(context.WithoutCancel(ctx), org))
	}
	if old != nil {
		if err := book.forget(ctx, *old); err != nil {
			a.warn(fmt.Sprintf("the secrets of the login before are left: %v", err))
		}
	}
	return a.tellLogin(book, org, reason)
}

// way is the one way to log in that the flags name.
func (f loginFlags) way() (string, error) {
	var ways []string
	for way, given := range map[string]bool{loginWeb: f.web, loginJWT: f.jwt, loginClient: f.client, loginSOAP: f.soap, loginRefresh: f.refresh, loginCLI: f.cli != "", loginSFDX: f.sfdxFile != ""} {
		if given {
			ways = append(ways, way)
		}
	}
	slices.Sort(ways)
	switch {
	case len(ways) == 0:
		return loginWeb, nil
	case len(ways) > 1:
		return "", usagef("%s: one way to log in at a time", strings.Join(ways, " and "))
	}
	return ways[0], nil
}

// firstLogin gives the login that the flags ask for, with the secrets that the next ones need. store holds the refresh token, nil for ways
// that have none. What the flags leave open is filled in in org.
func (a *app) firstLogin(ctx context.Context, org *namedOrg, f loginFlags) (auth salesforce.Auth, s orgSecret, store salesforce.RefreshStore, err error) {
	need := func(flag, value string) {
		if value == "" && err == nil {
			err = usagef("--%s needs --%s", org.Login, flag)
		}
	}
	var key string
	switch org.Login {
	case loginWeb, loginRefresh:
		if s.ClientSecret, err = a.secret(ctx, "MIGRATE_CLIENT_SECRET"); err != nil {
			return
		}
		if org.ClientID == "" {
			org.ClientID, s.ClientSecret = salesforce.CLIClient, "" // that app has none
		}
		if org.Login == loginWeb {
			held := salesforce.HoldToken("")
			return salesforce.WebLogin{LoginURL: org.LoginURL, ClientID: org.ClientID, ClientSecret: s.ClientSecret, Username: org.Username,
				Port: f.port, Timeout: f.timeout, Show: a.show(f.noBrowser), Store: held}, s, held, nil
		}
		if s.RefreshToken, err = a.needSecret(ctx, "MIGRATE_REFRESH_TOKEN", "the refresh token"); err != nil {
			return
		}
		held := salesforce.HoldToken(s.RefreshToken)
		return salesforce.RefreshToken{LoginURL: org.LoginURL, ClientID: org.ClientID, ClientSecret: s.ClientSecret, Store: held}, s, held, nil
	case loginSFDX:
		text, err := a.readSFDX(f.sfdxFile)
		if err != nil {
			return nil, s, nil, err
		}
		login, err := salesforce.ParseSFDXURL(text)
		if err != nil {
			return nil, s, nil, usagef("--sfdx-url-file: %w", err)
		}
		org.LoginURL, org.ClientID, s.ClientSecret = login.LoginURL, login.ClientID, login.ClientSecret
		return login, s, login.Store, nil
	case loginJWT:
		need("client-id", org.ClientID)
		need("username", org.Username)
		if err != nil {
			return
		}
		login := salesforce.JWTBearer{LoginURL: org.LoginURL, ClientID: org.ClientID, Username: org.Username}
		if org.KeyFile != "" {
			org.KeyFile = mustAbs(org.KeyFile)
			login.Key, err = readKey(org.KeyFile)
			return login, s, nil, err
		}
		if key, err = a.needSecret(ctx, "MIGRATE_JWT_KEY", "the key of the JWT login (--jwt-key-file)"); err != nil {
			return
		}
		if login.Key, err = salesforce.ParseRSAKey([]byte(key)); err != nil {
			return nil, s, nil, usagef("MIGRATE_JWT_KEY: %w", err)
		}
		s.Key = key
		return login, s, nil, nil
	case loginClient:
		need("login-url", org.LoginURL)
		need("client-id", org.ClientID)
		if err == nil {
			s.ClientSecret, err = a.needSecret(ctx, "MIGRATE_CLIENT_SECRET", "the client secret")
		}
		return salesforce.ClientCredentials{LoginURL: org.LoginURL, ClientID: org.ClientID, ClientSecret: s.ClientSecret}, s, nil, err
	case loginSOAP:
		if need("username", org.Username); err == nil {
			s.Password, err = a.needSecret(ctx, "MIGRATE_PASSWORD", "the password")
		}
		if err == nil {
			s.SecurityToken, err = a.secret(ctx, "MIGRATE_SECURITY_TOKEN")
		}
		return salesforce.SOAPLogin{LoginURL: org.LoginURL, Username: org.Username, Password: s.Password, SecurityToken: s.SecurityToken}, s, nil, err
	}
	org.CLI = f.cli
	return salesforce.SalesforceCLI{Org: f.cli, Env: childEnv()}, s, nil, nil
}

// readSFDX reads the file of an SFDX auth URL.
func (a *app) readSFDX(path string) (string, error) {
	const most = 1 << 20
	in := a.stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return "", usagef("--sfdx-url-file: %w", err)
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, most))
	return string(data), err
}

// tellLogin says who is logged in and where the secrets are.
func (a *app) tellLogin(book orgBook, o namedOrg, reason error) error {
	if a.global.json {
		return a.printOrg(o)
	}
	who := o.Username
	if who == "" {
		who = "somebody"
	}
	fmt.Fprintf(a.stdout, "org %s: %s at %s (%s)\n", o.Name, who, o.InstanceURL, o.Login)
	if o.Secrets == "" {
		return nil
	}
	where := book.secretsPlace(o)
	if reason != nil {
		where += ", which only you can read: " + reason.Error()
	}
	_, err := fmt.Fprintf(a.stdout, "its secrets are in %s\n", where)
	return err
}

// logger tells each request on stderr with --verbose.
func (a *app) logger() *slog.Logger {
	if !a.global.verbose {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
}
