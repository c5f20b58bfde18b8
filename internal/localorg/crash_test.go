package localorg

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

const childEnv = "LOCALORG_TEST_CHILD"

// child serves the org in the folder that the environment names, until it is killed.
func child() {
	o, err := Open(Config{Dir: os.Getenv(childEnv), AccessToken: testToken, BatchTime: 100 * time.Millisecond})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(l.Addr())
	fmt.Fprintln(os.Stderr, http.Serve(l, o))
	os.Exit(1)
}

// process is a child with an org.
type process struct {
	cmd  *exec.Cmd
	url  string
	once sync.Once
}

func startChild(t *testing.T, dir string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childEnv+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		cmd.Process.Kill()
		cmd.Wait()
		t.Fatalf("child did not start: %v", err)
	}
	return &process{cmd: cmd, url: "http://" + strings.TrimSpace(addr)}
}

func (p *process) kill() {
	p.once.Do(func() {
		p.cmd.Process.Kill() // SIGKILL
		p.cmd.Wait()
	})
}

// An org whose process is killed again and again, while jobs are created, uploaded, closed and processed, has in the
// end every row of the closed jobs once, and nothing of what it confirmed is forgotten.
func TestTortureKill(t *testing.T) {
	t.Parallel()
	const rows = 12_000
	rounds := 12
	if os.Getenv("MIGRATE_TORTURE") != "" {
		rounds = 200
	}
	rng := random(t)
	dir := t.TempDir()
	ids := map[int]string{}       // jobs by number, as the client knows them
	confirmed := map[string]int{} // what the org has confirmed: 0 created, 1 uploaded, 2 closed
	next := 0
	for range rounds {
		p := startChild(t, dir)
		transport := &http.Transport{}
		c := &client{t: t, rt: rebase{transport, p.url}, token: testToken, version: "66.0"}
		deadline := time.AfterFunc(time.Duration(rng.IntN(120_000))*time.Microsecond, p.kill)
		for alive := true; alive; {
			alive = false
			for n := range next {
				if id, ok := ids[n]; ok && confirmed[id] < 2 {
					alive = c.advance(confirmed, id, jobBody(n, rows))
				}
			}
			if a, err := c.try("POST", "jobs/ingest", "application/json", `{"object":"Account","operation":"insert"}`); err == nil && a.status == 200 {
				ids[next] = strings.Split(a.body, `"`)[3]
				confirmed[ids[next]] = 0
				next++
				alive = true
			}
			if len(ids) > rounds { // enough rows
				break
			}
		}
		deadline.Stop()
		p.kill()
		transport.CloseIdleConnections()
	}
	c := open(t, Config{Dir: dir})
	closed := map[int]string{}
	for n, id := range ids {
		c.org.mu.RLock()
		j, err := c.org.job(id)
		if err != nil || confirmed[id] >= 1 && !j.uploaded || confirmed[id] == 2 && j.state == stateOpen {
			t.Errorf("job %d is %+v, err %v, but the org confirmed %d", n, j, err, confirmed[id])
		}
		if err == nil && j.state != stateOpen {
			closed[n] = id
		}
		c.org.mu.RUnlock()
	}
	checkRows(t, c, rows, closed)
	t.Logf("%d jobs, %d closed", len(ids), len(closed))
}

// advance uploads and closes a job as far as the connection lasts; false means that it did not.
func (c *client) advance(confirmed map[string]int, id, body string) bool {
	if confirmed[id] == 0 {
		a, err := c.try("PUT", "jobs/ingest/"+id+"/batches", "text/csv", body)
		switch {
		case err != nil:
			return false
		case a.status != 201 && !strings.Contains(a.body, "Found multipe contents"): // an earlier one arrived, its answer did not
			c.t.Errorf("upload: %d %s", a.status, a.body)
			return false
		}
		confirmed[id] = 1
	}
	a, err := c.try("PATCH", "jobs/ingest/"+id, "application/json", `{"state":"UploadComplete"}`)
	switch {
	case err != nil:
		return false
	case a.status != 200 && !strings.Contains(a.body, "Closing already Completed"):
		c.t.Errorf("close: %d %s", a.status, a.body)
		return false
	}
	confirmed[id] = 2
	return true
}

// rebase sends every request to one address.
type rebase struct {
	rt   http.RoundTripper
	base string
}

func (r rebase) RoundTrip(req *http.Request) (*http.Response, error) {
	host, ok := strings.CutPrefix(r.base, "http://")
	if !ok {
		return nil, errors.New("not a plain address: " + r.base)
	}
	req.URL.Host = host
	return r.rt.RoundTrip(req)
}
