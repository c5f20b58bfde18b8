package main

import (
	"context"
	"errors"
	"fmt"
	"io"
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
	Name        string `json:"name,omitempty"`         // "local": an org inside the process
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
	f.StringVar(&o.Name, "org", "", `"local": a new, empty org inside this process`)
	f.StringVar(&o.InstanceURL, "instance-url", "", "the org's own address; the token comes from MIGRATE_ACCESS_TOKEN or SF_ACCESS_TOKEN")
	f.StringVar(&o.APIVersion, "api-version", "", "Salesforce API version (default "+salesforce.DefaultAPIVersion+")")
	f.StringVar(&o.Auth, "auth", "", "token, client-credentials or jwt (default: by what is given)")
	f.StringVar(&o.LoginURL, "login-url", "", "where to log in (default: the instance, or https://login.salesforce.com for jwt)")
	f.StringVar(&o.ClientID, "client-id", "", "consumer key of the app; the secret comes from MIGRATE_CLIENT_SECRET or MIGRATE_CLIENT_SECRET_FILE")
	f.StringVar(&o.Username, "username", "", "user of the JWT login")
	f.StringVar(&o.KeyFile, "jwt-key-file", "", "file of the RSA key of the JWT login (PEM)")
}

// merge lets what is given now replace what was recorded.
func (o orgSpec) merge(now orgSpec) orgSpec {
	set := func(v *string, n string) {
		if n != "" {
			*v = n
		}
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
	logger := slog.New(slog.NewTextHandler(io.Discard, nil))
	if a.global.verbose {
		logger = slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	switch o.Name {
	case localName:
		if o.InstanceURL != "" {
			return nil, usagef("both --org local and --instance-url %s are given; which org is meant?", o.InstanceURL)
		}
		return a.connectLocal(ctx, o, dir, logger)
	case "":
	default:
		return nil, usagef("there is no org named %q; use --org local, or --instance-url with a login", o.Name)
	}
	auth, err := a.auth(&o)
	if err != nil {
		return nil, err
	}
	client, err := salesforce.Open(ctx, salesforce.Config{InstanceURL: o.InstanceURL, APIVersion: o.APIVersion, Auth: auth,
		Logger: logger, UserAgent: "migrate/" + version()})
	if err != nil {
		return nil, fmt.Errorf("log in: %w", err)
	}
	o.InstanceURL = client.InstanceURL()
	return &connection{Client: client, spec: o, title: client.InstanceURL()}, nil
}

// connector opens the org of a new run.
func (a *app) connector(ctx context.Context, o orgSpec) func(dir string) (*connection, error) {
	return func(dir string) (*connection, error) { return a.connect(ctx, o, dir) }
}

// reconnect opens the org of an earlier run, with the login that is given now where one is. Another org is refused: rows of
// the run may be in the first one already.
func (a *app) reconnect(ctx context.Context, run string, recorded, now orgSpec, dir string) (*connection, error) {
	where := recorded.InstanceURL
	if recorded.Name != "" {
		where = "the org " + recorded.Name
	}
	if now.Name != "" && now.Name != recorded.Name || recorded.Name != "" && now.InstanceURL != "" {
		return nil, usagef("run %s goes to %s; its rows may be there already, so it goes on nowhere else", run, where)
	}
	conn, err := a.connect(ctx, recorded.merge(now), dir)
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

// auth chooses the login by what is given. Secrets come from the environment or from files named there.
func (a *app) auth(o *orgSpec) (salesforce.Auth, error) {
	token, err := a.secret("MIGRATE_ACCESS_TOKEN")
	if err != nil {
		return nil, err
	}
	if token == "" {
		if token, err = a.secret("SF_ACCESS_TOKEN"); err != nil {
			return nil, err
		}
	}
	clientSecret, err := a.secret("MIGRATE_CLIENT_SECRET")
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
			return nil, usagef("no login: set MIGRATE_ACCESS_TOKEN, or give --client-id with MIGRATE_CLIENT_SECRET, or --jwt-key-file; --org local needs none")
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
		pem, err := os.ReadFile(o.KeyFile)
		if err != nil {
			return nil, usagef("--jwt-key-file: %w", err)
		}
		key, err := salesforce.ParseRSAKey(pem)
		if err != nil {
			return nil, usagef("--jwt-key-file %s: %w", o.KeyFile, err)
		}
		login := o.LoginURL
		if login == "" {
			login = "https://login.salesforce.com"
		}
		return salesforce.JWTBearer{LoginURL: login, ClientID: o.ClientID, Username: o.Username, Key: key}, nil
	}
	return nil, usagef("--auth %q: token, client-credentials or jwt", o.Auth)
}

// secret reads a secret from the environment, or from the file that NAME_FILE names.
func (a *app) secret(name string) (string, error) {
	if v, ok := a.env(name); ok && v != "" {
		return v, nil
	}
	path, ok := a.env(name + "_FILE")
	if !ok || path == "" {
		return "", nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "", usagef("%s_FILE: %w", name, err)
	}
	for len(data) > 0 && (data[len(data)-1] == '\n' || data[len(data)-1] == '\r') {
		data = data[:len(data)-1]
	}
	if len(data) == 0 {
		return "", &usageError{err: errors.New(name + "_FILE: the file is empty")}
	}
	return string(data), nil
}
