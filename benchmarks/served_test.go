package benchmarks

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// token looks like one of a real org, since the Salesforce CLI checks that.
const token = "00D5g0000000001!AQ_the_token_of_the_benchmarks"

// programs are what takes part and comes from this repository, built as a release is.
type programs struct{ migrate, limit string }

func buildPrograms(t *testing.T) programs {
	t.Helper()
	dir := t.TempDir()
	p := programs{filepath.Join(dir, "migrate"), filepath.Join(dir, "limit")}
	for bin, pkg := range map[string]string{p.migrate: "../cmd/migrate", p.limit: "./limit"} {
		cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", bin, pkg)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v\n%s", pkg, err, out)
		}
	}
	return p
}

// withToken is a command that knows the token and none of the settings of who starts it.
func withToken(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Env = []string{"MIGRATE_ACCESS_TOKEN=" + token}
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "MIGRATE_") && !strings.HasPrefix(v, "SF_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	return cmd
}

// served is a local org in a process of its own.
type served struct {
	url     string
	counted int // rows that were in the audit when it was last looked at
}

// serveOrg serves one until the test ends. Its limits are out of the way.
func serveOrg(t *testing.T, p programs, args ...string) *served {
	t.Helper()
	return &served{url: serve(t, p.migrate, append([]string{"--daily-api", "1000000000", "--daily-records", "1000000000000"}, args...)...)}
}

// orgAudit is what matters here of what the org tells about its clients.
type orgAudit struct {
	Calls    map[string]int // that were acted on
	Faults   map[string]int // that were not
	Ingested map[string]struct{ Rows, Failed int }
}

func (o *served) audit() (a orgAudit, err error) {
	resp, err := http.Get(o.url + "/local/audit")
	if err != nil {
		return a, err
	}
	defer resp.Body.Close()
	return a, json.NewDecoder(resp.Body).Decode(&a)
}

// got says whether so many rows have come since it was last asked.
func (o *served) got(rows int) func(string, string) (string, error) {
	return func(string, string) (string, error) {
		a, err := o.audit()
		if err != nil {
			return "", err
		}
		all := a.Ingested["Account"]
		n := all.Rows - o.counted
		o.counted = all.Rows
		if n != rows || all.Failed > 0 {
			return "", fmt.Errorf("the org counts %d rows, want %d; %d failed", n, rows, all.Failed)
		}
		return "", nil
	}
}

// ask makes a call of the org, with a body of JSON or none, and decodes its answer.
func (o *served) ask(method, path, body string, out any) error {
	req, err := http.NewRequest(method, o.url+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %s", method, path, resp.Status)
	}
	if out == nil {
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(out)
}
