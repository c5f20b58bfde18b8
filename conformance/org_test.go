package conformance

import (
	"bufio"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
)

// token looks like the access token of a real org, since the Salesforce CLI checks that.
const token = "00D5g0000000001!AQ_the_token_of_the_conformance_tests"

// binary builds the command once.
var binary = sync.OnceValues(func() (string, error) {
	at := filepath.Join(installed.dir, "migrate")
	cmd := exec.Command("go", "build", "-o", at, "migrate/cmd/migrate")
	cmd.Stderr = os.Stderr
	return at, cmd.Run()
})

// org is a served local org.
type org struct {
	url string
	out []string // what it said before it listened
}

var listens = regexp.MustCompile(`https?://\S+:\d+`)

// serve runs migrate org serve until the test ends.
func serve(t *testing.T, args ...string) *org {
	t.Helper()
	program, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, append([]string{"org", "serve", "--listen", "127.0.0.1:0"}, args...)...)
	cmd.Env = append(os.Environ(), "MIGRATE_ACCESS_TOKEN="+token)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		cmd.Wait()
	})
	o := &org{}
	lines := bufio.NewScanner(stdout)
	for o.url == "" && lines.Scan() {
		o.out = append(o.out, lines.Text())
		o.url = listens.FindString(lines.Text())
	}
	if o.url == "" {
		t.Fatalf("the org does not listen; it says %q", o.out)
	}
	go func() {
		for lines.Scan() {
		}
	}()
	return o
}

// audit is what the org says about its clients.
type audit struct {
	Calls      map[string]int
	Jobs       map[string]int
	Violations []struct{ Kind, Text string }
}

func (o *org) audit(t *testing.T) audit {
	t.Helper()
	res, err := http.Get(o.url + "/local/audit")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var a audit
	if err := json.NewDecoder(res.Body).Decode(&a); err != nil {
		t.Fatal(err)
	}
	return a
}
