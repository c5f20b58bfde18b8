package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// clients are the programs from npm, installed once for all tests.
type clients struct {
	dir  string // holds node_modules
	path string // PATH with a node that is new enough in front
}

// The Salesforce CLI's HTTP library needs node 22.19; where the machine's is older, one comes from npm as well.
const (
	nodeMajor, nodeMinor = 22, 19
	nodeVersion          = "22.23.3"
)

var installed *clients // by TestMain

func TestMain(m *testing.M) {
	if os.Getenv("MIGRATE_CONFORMANCE") == "" {
		os.Exit(m.Run()) // each test says that it is skipped
	}
	dir, err := os.MkdirTemp("", "conformance-")
	if err == nil {
		installed, err = install(dir)
	}
	code := 1
	if err == nil {
		code = m.Run()
	} else {
		fmt.Fprintln(os.Stderr, "conformance:", err)
	}
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

// need skips a test that was not asked for.
func need(t *testing.T) *clients {
	t.Helper()
	if installed == nil {
		t.Skip("needs npm and its registry; make conformance runs it")
	}
	return installed
}

func install(dir string) (*clients, error) {
	list, err := os.ReadFile("package.json")
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "package.json"), list, 0o600); err != nil {
		return nil, err
	}
	c := &clients{dir: dir, path: os.Getenv("PATH")}
	args := []string{"install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--loglevel=error"}
	if !nodeIsNew() {
		name, err := nodePackage()
		if err != nil {
			return nil, err
		}
		args = append(args, name+"@"+nodeVersion)
		c.path = filepath.Join(dir, "node_modules", name, "bin") + string(filepath.ListSeparator) + c.path
	}
	cmd := exec.Command("npm", args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("npm install: %w\n%s", err, out)
	}
	return c, nil
}

func nodeIsNew() bool {
	out, err := exec.Command("node", "--version").Output()
	if err != nil {
		return false
	}
	parts := strings.Split(strings.TrimPrefix(strings.TrimSpace(string(out)), "v"), ".")
	if len(parts) < 2 {
		return false
	}
	major, err1 := strconv.Atoi(parts[0])
	minor, err2 := strconv.Atoi(parts[1])
	return err1 == nil && err2 == nil && (major > nodeMajor || major == nodeMajor && minor >= nodeMinor)
}

// nodePackage names the npm package with node's own program for this machine.
func nodePackage() (string, error) {
	arch := map[string]string{"amd64": "x64", "arm64": "arm64"}[runtime.GOARCH]
	if arch == "" || runtime.GOOS != "linux" && runtime.GOOS != "darwin" {
		return "", fmt.Errorf("node %d.%d or newer is needed", nodeMajor, nodeMinor)
	}
	return "node-" + runtime.GOOS + "-" + arch, nil
}

// command prepares a call of a program with nothing of the caller's environment but what it needs: home is a
// folder of its own, so that logins and settings of who runs the tests stay apart.
func (c *clients) command(ctx context.Context, home string, env []string, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = home
	cmd.Env = append([]string{
		"PATH=" + c.path, "HOME=" + home, "TMPDIR=" + os.TempDir(), "LANG=C.UTF-8", "TERM=dumb", "CI=true",
		"SF_DISABLE_TELEMETRY=true", "SF_AUTOUPDATE_DISABLE=true", "SF_SKIP_NEW_VERSION_CHECK=true", "SF_DISABLE_LOG_FILE=true",
		"SF_USE_GENERIC_UNIX_KEYCHAIN=true", "SFDX_DISABLE_DNS_CHECK=true", "NO_PROXY=127.0.0.1,localhost", "NO_COLOR=1",
	}, env...)
	return cmd
}

// node runs a script of testdata and decodes what it prints.
func (c *clients) node(t *testing.T, env []string, script string, out any) {
	t.Helper()
	source, err := os.ReadFile(filepath.Join("testdata", script))
	if err != nil {
		t.Fatal(err)
	}
	at := filepath.Join(c.dir, script) // beside node_modules, where imports are looked up
	if err := os.WriteFile(at, source, 0o600); err != nil {
		t.Fatal(err)
	}
	node, err := lookPath(c.path, "node")
	if err != nil {
		t.Fatal(err)
	}
	cmd := c.command(t.Context(), t.TempDir(), env, node, at)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s%s", script, err, stdout.Bytes(), stderr.Bytes())
	}
	if err := json.Unmarshal(stdout.Bytes(), out); err != nil {
		t.Fatalf("%s: %v in %s", script, err, stdout.Bytes())
	}
}

func lookPath(path, name string) (string, error) {
	for _, dir := range filepath.SplitList(path) {
		at := filepath.Join(dir, name)
		if info, err := os.Stat(at); err == nil && info.Mode()&0o111 != 0 && !info.IsDir() {
			return at, nil
		}
	}
	return "", fmt.Errorf("no %s in %s", name, path)
}
