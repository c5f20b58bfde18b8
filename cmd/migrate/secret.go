package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
)

// secret reads a secret: from the environment variable itself, from the file that NAME_FILE names, or from what the command in
// NAME_COMMAND prints; the first that is set counts. "" when none is. Line ends behind the secret do not belong to it.
func (a *app) secret(ctx context.Context, name string) (string, error) {
	if v, ok := a.env(name); ok && v != "" {
		return v, nil
	}
	if path, ok := a.env(name + "_FILE"); ok && path != "" {
		data, err := os.ReadFile(path)
		if err != nil {
			return "", usagef("%s_FILE: %w", name, err)
		}
		return trimSecret(name+"_FILE: the file", data)
	}
	command, ok := a.env(name + "_COMMAND")
	if !ok || command == "" {
		return "", nil
	}
	shell := []string{"sh", "-c"}
	if runtime.GOOS == "windows" {
		shell = []string{"cmd", "/C"}
	}
	cmd := exec.CommandContext(ctx, shell[0], shell[1], command)
	cmd.Env = childEnv()
	cmd.Stderr = a.stderr // it may ask the user to unlock something
	data, err := cmd.Output()
	if ctx.Err() != nil {
		return "", fmt.Errorf("%s_COMMAND: %w", name, ctx.Err())
	}
	if err != nil { // what it printed is not told: it may be the secret
		return "", usagef("%s_COMMAND: %w", name, err)
	}
	return trimSecret(name+"_COMMAND: what it prints", data)
}

// secretVariables are those that hold a secret themselves.
var secretVariables = []string{"MIGRATE_ACCESS_TOKEN", "SF_ACCESS_TOKEN", "MIGRATE_CLIENT_SECRET", "MIGRATE_REFRESH_TOKEN", "MIGRATE_JWT_KEY", "MIGRATE_PASSWORD", "MIGRATE_SECURITY_TOKEN"}

// childEnv is the environment of the programs that are started: a browser, which lives on, needs none of our secrets.
func childEnv() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return slices.ContainsFunc(secretVariables, func(secret string) bool { return strings.EqualFold(secret, name) }) // case does not count on Windows
	})
}

// trimSecret takes the line ends off a secret and refuses an empty one.
func trimSecret(what string, data []byte) (string, error) {
	s := strings.TrimRight(string(data), "\r\n")
	if s == "" {
		return "", usagef("%s is empty", what)
	}
	return s, nil
}

// needSecret is secret for what cannot be left out.
func (a *app) needSecret(ctx context.Context, name, what string) (string, error) {
	s, err := a.secret(ctx, name)
	if err == nil && s == "" {
		err = usagef("%s is missing: set %s, %[2]s_FILE or %[2]s_COMMAND", what, name)
	}
	return s, err
}
