package benchmarks

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// clients are the programs from npm, in the versions that conformance/ pins.
type clients struct {
	dir     string // holds node_modules
	node    string // a node that is new enough for all of them
	missing string // why there are none
}

// nodeVersion is what the Salesforce CLI runs on, whatever node the machine has: it needs 22.19.
const nodeVersion = "22.23.3"

// installClients installs them into the folder of the benchmarks, once for each list of versions.
func installClients(t *testing.T, s setting) *clients {
	t.Helper()
	if s.quick {
		return &clients{missing: "not in the quick form"}
	}
	if _, err := exec.LookPath("npm"); err != nil {
		return &clients{missing: "npm is not installed"}
	}
	arch := map[string]string{"amd64": "x64", "arm64": "arm64"}[runtime.GOARCH]
	if arch == "" || runtime.GOOS != "linux" && runtime.GOOS != "darwin" {
		return &clients{missing: "npm has no node for this machine"}
	}
	node := "node-" + runtime.GOOS + "-" + arch
	list, err := os.ReadFile("../conformance/package.json")
	if err != nil {
		t.Fatal(err)
	}
	c := &clients{dir: filepath.Join(s.dir, "clients")}
	c.node = filepath.Join(c.dir, "node_modules", node, "bin", "node")
	done := filepath.Join(c.dir, "installed.json") // the list as of which all are there
	if old, err := os.ReadFile(done); err == nil && string(old) == string(list) {
		return c
	}
	fmt.Printf("installing clients into %s …\n", c.dir)
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(c.dir, "package.json"), list, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--loglevel=error", node+"@"+nodeVersion)
	cmd.Dir = c.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		text, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
		return &clients{missing: "npm install: " + text}
	}
	if err := os.WriteFile(done, list, 0o600); err != nil {
		t.Fatal(err)
	}
	return c
}

// command prepares a call of node with nothing of the caller's settings: home is a folder of its own.
func (c *clients) command(home string, env []string, args ...string) *exec.Cmd {
	cmd := exec.Command(c.node, args...)
	cmd.Dir = home
	cmd.Env = append([]string{"PATH=" + filepath.Dir(c.node) + ":" + os.Getenv("PATH"), "HOME=" + home, "TMPDIR=" + os.TempDir(), "LANG=C.UTF-8", "TERM=dumb", "CI=true",
		"SF_DISABLE_TELEMETRY=true", "SF_AUTOUPDATE_DISABLE=true", "SF_SKIP_NEW_VERSION_CHECK=true", "SF_DISABLE_LOG_FILE=true",
		"SF_USE_GENERIC_UNIX_KEYCHAIN=true", "SFDX_DISABLE_DNS_CHECK=true", "NO_PROXY=127.0.0.1,localhost", "NO_COLOR=1"}, env...)
	return cmd
}

// script prepares a script of testdata.
func (c *clients) script(folder, name string, env ...string) *exec.Cmd {
	at := filepath.Join(c.dir, name) // beside node_modules, where imports are looked up
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err == nil {
		err = os.WriteFile(at, text, 0o600)
	}
	if err != nil { // node says that it is not there
		at = filepath.Join("testdata", name)
	}
	return c.command(folder, env, at)
}

// sf prepares a call of the Salesforce CLI.
func (c *clients) sf(home string, args ...string) *exec.Cmd {
	return c.command(home, []string{"SF_ACCESS_TOKEN=" + token}, append([]string{filepath.Join(c.dir, "node_modules", "@salesforce", "cli", "bin", "run.js")}, append(args, "--json")...)...)
}

// login logs the Salesforce CLI in to an org, under the name "org". It gives its home.
func (c *clients) login(t *testing.T, o *served) string {
	t.Helper()
	home := t.TempDir()
	if out, err := c.sf(home, "org", "login", "access-token", "--instance-url", o.url, "--no-prompt", "--alias", "org").CombinedOutput(); err != nil {
		t.Fatalf("sf org login: %v\n%s", err, out)
	}
	return home
}
