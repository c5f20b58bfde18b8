package main

import (
	"cmp"
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"migrate/internal/localorg"
	"migrate/pkg/salesforce"
)

// orgSpec says which org a run goes to. It is kept in the checkpoint, and holds no secret.
type orgSpec struct {
	Name        string `json:"name,omitempty"`         // "local": an org inside the process; else the name of a login, see orgBook
	Dir         string `json:"dir,omitempty"`          // of the local org, as seen from the run folder
	Schema      string `json:"schema,omitempty"`       // folder of its describe snapshots, as seen from there; "": the built-in objects
	InstanceURL string `json:"instance_url,omitempty"` // in a checkpoint: as it was after the login
	APIVersion  string `json:"api_version,omitempty"`
	Auth        string `json:"auth,omitempty"` // token, client-credentials, jwt
	LoginURL    string `json:"login_url,omitempty"`
	ClientID    string `json:"client_id,omitempty"`
	Username    string `json:"username,omitempty"`
	KeyFile     string `json:"key_file,omitempty"` // path of the private key, not the key
}

// localName is the built-in org.
const localName = "local"

// The folders of the local org and of its snapshots inside a run folder.
const (
	localDirName    = "org"
	localSchemaName = "schema"
)

func (o *orgSpec) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.Name, "org", "", `the name given to org login, or "local": a new, empty org inside this process`)
	f.StringVar(&o.InstanceURL, "instance-url", "", "the org's own address; the token comes from MIGRATE_ACCESS_TOKEN or SF_ACCESS_TOKEN")
	f.StringVar(&o.APIVersion, "api-version", "", "Salesforce API version (default "+salesforce.DefaultAPIVersion+")")
	f.StringVar(&o.Auth, "auth", "", "token, client-credentials or jwt (default: by what is given)")
	f.StringVar(&o.LoginURL, "login-url", "", "where to log in (default: the instance, or https://login.salesforce.com for jwt)")
	f.StringVar(&o.ClientID, "client-id", "", "consumer key of the app; the secret comes from MIGRATE_CLIENT_SECRET, …_FILE or …_COMMAND")
	f.StringVar(&o.Username, "username", "", "user of the JWT login")
	f.StringVar(&o.KeyFile, "jwt-key-file", "", "file of the RSA key of the JWT login (PEM)")
}

// login reports whether a way to log in is given, beside a name.
func (o orgSpec) login() bool {
	return o.Auth != "" || o.LoginURL != "" || o.ClientID != "" || o.Username != "" || o.KeyFile != ""
}

// merge lets what is given now replace what was recorded. A name and other ways to log in replace each other as a whole.
func (o orgSpec) merge(now orgSpec) orgSpec {
	set := func(v *string, n string) {
		if n != "" {
			*v = n
		}
	}
	switch {
	case now.Name != "":
		now.APIVersion = cmp.Or(now.APIVersion, o.APIVersion)
		return now
	case o.Name != localName && (now.login() || now.InstanceURL != ""):
		o.Name = ""
	}
	if now.Auth == "" && (now.KeyFile != "" || now.ClientID != "") {
		o.Auth = "" // another way to log in than at the start
	}
	set(&o.InstanceURL, now.InstanceURL)
	set(&o.APIVersion, now.APIVersion)
	set(&o.Auth, now.Auth)
	set(&o.LoginURL, now.LoginURL)
	set(&o.ClientID, now.ClientID)
	set(&o.Username, now.Username)
	set(&o.KeyFile, now.KeyFile)
	return o
}

// localPath is where a folder of the local org of a run lies.
func localPath(run, folder string) string {
	if filepath.IsAbs(folder) {
		return folder
	}
	return filepath.Join(run, folder)
}

// localMemory is what the process aims at, in bytes, while it holds an org: it collects garbage more often from there on. The org
// alone takes that much from about a million rows on; it may take more.
const localMemory = 320 << 20

// connection is an open org.
type connection struct {
	*salesforce.Client
	spec  orgSpec
	title string // for the first line of output
	local *localorg.Org
}

// place names the org in the id map. dir is the run folder; a local org is named by where it lies in the state folder, which may be
// moved as a whole.
func (c *connection) place(dir string) string {
	if c.local == nil {
		return strings.ToLower(c.spec.InstanceURL)
	}
	at := mustAbs(localPath(dir, c.spec.Dir))
	if rel, err := filepath.Rel(mustAbs(filepath.Dir(filepath.Dir(dir))), at); err == nil {
		at = filepath.ToSlash(rel)
	}
	return localName + ":" + at
}

func (c *connection) Close() error {
	if c.local != nil {
		return c.local.Close()
	}
	return nil
}

// connect opens the org. dir is the run folder, where a new local org is kept; "" keeps it in memory.
func (a *app) connect(ctx context.Context, o orgSpec, dir string) (*connection, error) {
	if err := a.checkProxies(); err != nil {
		return nil, err
	}
	logger := a.logger()
	switch o.Name {
	case localName:
		if o.InstanceURL != "" {
			return nil, usagef("both --org local and --instance-url %s are given; which org is meant?", o.InstanceURL)
		}
		return a.connectLocal(ctx, o, dir, logger)
	case "":
	default:
		return a.connectNamed(ctx, o, logger)
	}
	auth, err := a.auth(ctx, &o)
	if err != nil {
		return nil, err
	}
	client, err := openClient(ctx, auth, o.InstanceURL, o.APIVersion, logger)
	if err != nil {
		return nil, fmt.Errorf("log in: %w", err)
	}
	o.InstanceURL = client.InstanceURL()
	return &connection{Client: client, spec: o, title: client.InstanceURL()}, nil
}

// openClient logs in over the one transport.
func openClient(ctx context.Context, auth salesforce.Auth, instanceURL, apiVersion string, logger *slog.Logger) (*salesforce.Client, error) {
	return salesforce.Open(ctx, salesforce.Config{InstanceURL: instanceURL, APIVersion: apiVersion, Auth: auth, Logger: logger, UserAgent: "migrate/" + version()})
}

// connectNamed opens an org by its name. The login must lead where it led when the name was given.
func (a *app) connectNamed(ctx context.Context, o orgSpec, logger *slog.Logger) (*connection, error) {
	if o.login() {
		return nil, usagef("both --org %s and another way to log in are given; which is meant?", o.Name)
	}
	book, err := a.orgBook()
	if err != nil {
		return nil, err
	}
	org, err := book.find(o.Name)
	if err != nil {
		return nil, err
	}
	auth, err := book.auth(ctx, org)
	if err != nil {
		return nil, fmt.Errorf("org %s: %w", org.Name, err)
	}
	o.APIVersion = cmp.Or(o.APIVersion, org.APIVersion)
	client, err := openClient(ctx, auth, "", o.APIVersion, logger)
	if err != nil {
		return nil, fmt.Errorf("log in: %w", err)
	}
	switch at := client.InstanceURL(); {
	case at != org.InstanceURL:
		return nil, usagef("org %s was %s when you logged in and is %s now; if that is meant, log in again: %s", org.Name, org.InstanceURL, at, org.loginCommand())
	case o.InstanceURL != "" && strings.TrimSuffix(o.InstanceURL, "/") != at:
		return nil, usagef("org %s is %s, not %s; which is meant?", org.Name, at, o.InstanceURL)
	}
	o.InstanceURL = client.InstanceURL()
	return &connection{Client: client, spec: o, title: org.Name + " (" + o.InstanceURL + ")"}, nil
}

// connector opens the org of a new run.
func (a *app) connector(ctx context.Context, o orgSpec) func(dir string) (*connection, error) {
	return func(dir string) (*connection, error) { return a.connect(ctx, o, dir) }
}

// reconnect opens the org of an earlier run, with the login that is given now where one is. Another org is refused: rows of
// the run may be in the first one already.
func (a *app) reconnect(ctx context.Context, run string, recorded, now orgSpec, dir string) (*connection, error) {
	where := recorded.InstanceURL
	local := recorded.Name == localName
	if local {
		where = "the org " + recorded.Name
	}
	if now.Name != "" && (now.Name == localName) != local || local && now.InstanceURL != "" {
		return nil, usagef("run %s goes to %s; its rows may be there already, so it goes on nowhere else", run, where)
	}
	o := recorded.merge(now)
	if o.Name != "" && !local {
		o.InstanceURL = "" // is compared below
	}
	conn, err := a.connect(ctx, o, dir)
	if err != nil {
		return nil, err
	}
	if other := conn.spec.InstanceURL; other != recorded.InstanceURL {
		return nil, errors.Join(usagef("run %s goes to %s, not to %s; its rows may be there already, so it goes on nowhere else", run, where, other), conn.Close())
	}
	return conn, nil
}

func (a *app) connectLocal(ctx context.Context, o orgSpec, dir string, logger *slog.Logger) (*connection, error) {
	if _, told := a.env("GOMEMLIMIT"); !told {
		debug.SetMemoryLimit(localMemory)
	}
	cfg := localorg.Config{Logger: logger}
	title := "the local org in memory"
	if dir != "" {
		if o.Dir == "" {
			o.Dir = localDirName
		}
		cfg.Dir = localPath(dir, o.Dir)
		title = "the local org in " + cfg.Dir
	}
	if o.Schema != "" {
		cfg.Schema = os.DirFS(localPath(dir, o.Schema))
	}
	const token = "the-token-of-the-local-org" // no word of a message: tokens are struck out of messages
	cfg.AccessToken = token
	org, err := localorg.Open(cfg)
	if err != nil {
		return nil, fmt.Errorf("open the local org: %w", err)
	}
	client, err := salesforce.Open(ctx, salesforce.Config{InstanceURL: "http://localhost", APIVersion: o.APIVersion,
		Auth: salesforce.AccessToken(token), Transport: org.Transport(), Logger: logger})
	if err != nil {
		org.Close()
		return nil, fmt.Errorf("open the local org: %w", err)
	}
	return &connection{Client: client, spec: o, local: org,
		title: title + " (not Salesforce: everything here is a rehearsal)"}, nil
}

// auth chooses the login by what is given. Secrets come from the environment, see secret.
func (a *app) auth(ctx context.Context, o *orgSpec) (salesforce.Auth, error) {
	token, err := a.secret(ctx, "MIGRATE_ACCESS_TOKEN")
	if err != nil {
		return nil, err
	}
	if token == "" {
		if token, err = a.secret(ctx, "SF_ACCESS_TOKEN"); err != nil {
			return nil, err
		}
	}
	clientSecret, err := a.secret(ctx, "MIGRATE_CLIENT_SECRET")
	if err != nil {
		return nil, err
	}
	if o.Auth == "" {
		switch {
		case o.KeyFile != "":
			o.Auth = "jwt"
		case o.ClientID != "" && clientSecret != "":
			o.Auth = "client-credentials"
		default:
			o.Auth = "token"
		}
	}
	switch o.Auth {
	case "token":
		switch {
		case token == "":
			return nil, usagef("no login: set MIGRATE_ACCESS_TOKEN, or give --client-id with MIGRATE_CLIENT_SECRET, or --jwt-key-file, or --org with a name given to org login; --org local needs none")
		case o.InstanceURL == "":
			return nil, usagef("--instance-url is missing: the org's own address, such as https://acme.my.salesforce.com")
		}
		return salesforce.AccessToken(token), nil
	case "client-credentials":
		if o.ClientID == "" || clientSecret == "" {
			return nil, usagef("client credentials need --client-id and MIGRATE_CLIENT_SECRET")
		}
		login := o.LoginURL
		if login == "" {
			login = o.InstanceURL
		}
		if login == "" {
			return nil, usagef("client credentials need --login-url or --instance-url: the org's My Domain address")
		}
		return salesforce.ClientCredentials{LoginURL: login, ClientID: o.ClientID, ClientSecret: clientSecret}, nil
	case "jwt":
		if o.KeyFile == "" || o.ClientID == "" || o.Username == "" {
			return nil, usagef("a JWT login needs --jwt-key-file, --client-id and --username")
		}
		key, err := readKey(o.KeyFile)
		if err != nil {
			return nil, err
		}
		login := o.LoginURL
		if login == "" {
			login = "https://login.salesforce.com"
		}
		return salesforce.JWTBearer{LoginURL: login, ClientID: o.ClientID, Username: o.Username, Key: key}, nil
	}
	return nil, usagef("--auth %q: token, client-credentials or jwt", o.Auth)
}

// readKey reads the private key of a JWT login.
func readKey(path string) (*rsa.PrivateKey, error) {
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, usagef("--jwt-key-file: %w", err)
	}
	key, err := salesforce.ParseRSAKey(pem)
	if err != nil {
		return nil, usagef("--jwt-key-file %s: %w", path, err)
	}
	return key, nil
}
