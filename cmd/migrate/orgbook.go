package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/lockedfile"

	"migrate/pkg/checkpoint"
	"migrate/pkg/salesforce"
)

// namedOrg is an org that the user has logged in to under a name: all about it that is not secret.
type namedOrg struct {
	Name        string    `json:"name"`
	Login       string    `json:"login"`        // one of the login… names
	InstanceURL string    `json:"instance_url"` // as the login answered it; a later login must lead there, too
	LoginURL    string    `json:"login_url,omitempty"`
	ClientID    string    `json:"client_id,omitempty"`
	Username    string    `json:"username,omitempty"` // who is logged in
	KeyFile     string    `json:"key_file,omitempty"` // of a JWT login whose key stays where it is
	CLI         string    `json:"sf_cli,omitempty"`   // the org's name in the Salesforce CLI
	APIVersion  string    `json:"api_version,omitempty"`
	Secrets     string    `json:"secrets,omitempty"` // keyring or file; "" where there are none
	ID          string    `json:"id,omitempty"`      // names the secrets of this login; the next login has another
	Added       time.Time `json:"added"`
}

// The ways to log in to a named org.
const (
	loginWeb     = "web"
	loginRefresh = "refresh-token"
	loginSFDX    = "sfdx-url"
	loginJWT     = "jwt"
	loginClient  = "client-credentials"
	loginSOAP    = "soap"
	loginCLI     = "sf-cli"
)

// refreshes tells the logins that have a refresh token.
func (o namedOrg) refreshes() bool {
	return o.Login == loginWeb || o.Login == loginRefresh || o.Login == loginSFDX
}

var orgName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// checkOrgName refuses names that cannot be given to an org.
func checkOrgName(name string) error {
	if strings.EqualFold(name, localName) {
		return usagef(`the name "local" is taken by the built-in org; choose another`)
	}
	if !orgName.MatchString(name) {
		return usagef("%q cannot name an org: letters, digits, dots, dashes and underscores, 64 at most", name)
	}
	return nil
}

// orgBook is the folder that keeps the named orgs of a user:
//
//	orgs.json               what is not secret
//	lock                    held while orgs.json changes
//	secrets/ID/lock         held while a refresh token is used
//	secrets/ID/secret.json  the secrets of one login where there is no keyring
//
// All of it may be used by several processes at once. A login writes its secrets under an id of its own before orgs.json names it, so that
// a crash leaves the old login or the new one.
type orgBook struct{ dir string }

const (
	orgsFile     = "orgs.json"
	orgsVersion  = 1
	configDirEnv = "MIGRATE_CONFIG_DIR"
)

// orgBook finds the folder. It is not made here.
func (a *app) orgBook() (orgBook, error) {
	if dir, ok := a.env(configDirEnv); ok && dir != "" {
		return orgBook{dir: mustAbs(dir)}, nil
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return orgBook{}, usagef("no place for named orgs: %w; set %s", err, configDirEnv)
	}
	return orgBook{dir: filepath.Join(dir, "migrate")}, nil
}

// orgsDocument is the form of orgs.json.
type orgsDocument struct {
	Version int        `json:"version"`
	Orgs    []namedOrg `json:"orgs"`
}

// read lists the orgs by name.
func (b orgBook) read() ([]namedOrg, error) {
	path := filepath.Join(b.dir, orgsFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var doc orgsDocument
	d := json.NewDecoder(bytes.NewReader(data))
	if err := d.Decode(&doc); err != nil {
		return nil, usagef("%s is damaged: %w; put it right or remove it and log in again", path, err)
	}
	if doc.Version != orgsVersion {
		return nil, usagef("%s has version %d, and this migrate knows %d; use the migrate that wrote it", path, doc.Version, orgsVersion)
	}
	return doc.Orgs, nil
}

// find gives the org of a name.
func (b orgBook) find(name string) (namedOrg, error) {
	orgs, err := b.read()
	if err != nil {
		return namedOrg{}, err
	}
	var names []string
	for _, o := range orgs {
		if o.Name == name {
			return o, nil
		}
		names = append(names, o.Name)
	}
	known := "none yet"
	if len(names) > 0 {
		known = strings.Join(names, ", ")
	}
	return namedOrg{}, usagef("there is no org named %q (known: %s, and the built-in local); %s org login %s logs in to one", name, known, invocation(), shellWord(name))
}

// change rewrites the list while no other process does.
func (b orgBook) change(ctx context.Context, edit func([]namedOrg) ([]namedOrg, error)) error {
	if err := os.MkdirAll(b.dir, 0o700); err != nil {
		return fmt.Errorf("make the folder of named orgs: %w", err)
	}
	unlock, err := lockFile(ctx, filepath.Join(b.dir, "lock"))
	if err != nil {
		return err
	}
	defer unlock()
	orgs, err := b.read()
	if err != nil {
		return err
	}
	if orgs, err = edit(orgs); err != nil {
		return err
	}
	slices.SortFunc(orgs, func(x, y namedOrg) int { return strings.Compare(x.Name, y.Name) })
	data, err := json.MarshalIndent(orgsDocument{Version: orgsVersion, Orgs: orgs}, "", "  ")
	if err != nil {
		return err
	}
	return writeDurably(filepath.Join(b.dir, orgsFile), append(data, '\n'))
}

// put enters an org in place of one with the same name, which it returns.
func (b orgBook) put(ctx context.Context, o namedOrg) (old *namedOrg, err error) {
	err = b.change(ctx, func(orgs []namedOrg) ([]namedOrg, error) {
		for i := range orgs {
			switch {
			case orgs[i].Name == o.Name:
				was := orgs[i]
				old, orgs[i] = &was, o
				return orgs, nil
			case strings.EqualFold(orgs[i].Name, o.Name):
				return nil, usagef("there is an org named %s already; two names that differ in case only are too easily mixed up", orgs[i].Name)
			}
		}
		return append(orgs, o), nil
	})
	return old, err
}

// remove takes a login out of the list, unless there is another one under its name by now.
func (b orgBook) remove(ctx context.Context, o namedOrg) error {
	return b.change(ctx, func(orgs []namedOrg) ([]namedOrg, error) {
		return slices.DeleteFunc(orgs, func(other namedOrg) bool { return other.Name == o.Name && other.ID == o.ID }), nil
	})
}

// lockPatience is how long another process may hold a lock. What is done under one takes milliseconds, or one call to a login host.
const lockPatience = 2 * time.Minute

// lockFile holds a file that nobody else may hold, in this process or another. The operating system frees it when the process ends.
func lockFile(ctx context.Context, path string) (unlock func(), err error) {
	type result struct {
		f   *lockedfile.File
		err error
	}
	done := make(chan result, 1)
	go func() {
		f, err := lockedfile.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		done <- result{f, err}
	}()
	timer := time.NewTimer(lockPatience)
	defer timer.Stop()
	select {
	case r := <-done:
		if r.err != nil {
			return nil, fmt.Errorf("lock the named orgs: %w", r.err)
		}
		return func() { r.f.Close() }, nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-timer.C:
		err = fmt.Errorf("another process has held %s for %v; end it: %w", path, lockPatience, salesforce.ErrTemporary)
	}
	go func() { // it will be ours some time
		if r := <-done; r.err == nil {
			r.f.Close()
		}
	}()
	return nil, err
}

// writeDurably is writeWhole that has outlived a power cut when it returns.
func writeDurably(path string, data []byte) error {
	if err := writeWhole(path, data); err != nil {
		return err
	}
	return checkpoint.SyncDir(filepath.Dir(path))
}
