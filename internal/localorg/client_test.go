package localorg

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		child()
		return
	}
	goleak.VerifyTestMain(m)
}

// client is a bare client for tests: it knows addresses and nothing else of the API.
type client struct {
	t       *testing.T
	org     *Org
	rt      http.RoundTripper
	token   string
	version string
}

const testToken = "00D5g0000000001!test"

// open opens an org in memory that ends with the test, and a client that is logged in.
func open(t *testing.T, cfg Config) *client {
	t.Helper()
	cfg.AccessToken = testToken
	o, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := o.Close(); err != nil {
			t.Error(err)
		}
	})
	return &client{t: t, org: o, rt: o.Transport(), token: testToken, version: "66.0"}
}

// answer is what came back, read to its end.
type answer struct {
	status int
	header http.Header
	body   string
}

func (c *client) do(method, path, contentType, body string) answer {
	c.t.Helper()
	a, err := c.try(method, path, contentType, body)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	return a
}

// try is do with the error of the connection. A path that does not start with /services or /local is below the version.
func (c *client) try(method, path, contentType, body string) (answer, error) {
	path = address(path, c.version)
	r, err := http.NewRequest(method, "http://org.example.com"+path, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	res, err := c.rt.RoundTrip(r)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, string(data)}, err
}

func (c *client) get(path string) answer { c.t.Helper(); return c.do("GET", path, "", "") }

func (c *client) json(method, path string, in any, status int, out any) {
	c.t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		c.t.Fatal(err)
	}
	a := c.do(method, path, "application/json; charset=UTF-8", string(body))
	if a.status != status {
		c.t.Fatalf("%s %s: %d %s, want %d", method, path, a.status, a.body, status)
	}
	if out != nil {
		if err := json.Unmarshal([]byte(a.body), out); err != nil {
			c.t.Fatalf("%s %s: %v in %s", method, path, err, a.body)
		}
	}
}

type jobAnswer struct {
	ID           string  `json:"id"`
	State        string  `json:"state"`
	APIVersion   float64 `json:"apiVersion"`
	ContentURL   string  `json:"contentUrl"`
	Processed    int     `json:"numberRecordsProcessed"`
	Failed       int     `json:"numberRecordsFailed"`
	Retries      int     `json:"retries"`
	ErrorMessage string  `json:"errorMessage"`
	JobType      string  `json:"jobType"`
}

type spec map[string]string

func (c *client) create(s spec) jobAnswer {
	c.t.Helper()
	var j jobAnswer
	c.json("POST", "jobs/ingest", s, 200, &j)
	return j
}

func (c *client) upload(id, body string) {
	c.t.Helper()
	if a := c.do("PUT", "jobs/ingest/"+id+"/batches", "text/csv", body); a.status != 201 || a.body != "" {
		c.t.Fatalf("upload: %d %s", a.status, a.body)
	}
}

func (c *client) patch(id, state string) jobAnswer {
	c.t.Helper()
	var j jobAnswer
	c.json("PATCH", "jobs/ingest/"+id, spec{"state": state}, 200, &j)
	return j
}

func (c *client) job(id string) jobAnswer {
	c.t.Helper()
	var j jobAnswer
	c.json("GET", "jobs/ingest/"+id, nil, 200, &j)
	return j
}

// load runs a job from create to its end.
func (c *client) load(s spec, body string) jobAnswer {
	c.t.Helper()
	j := c.create(s)
	c.upload(j.ID, body)
	c.patch(j.ID, "UploadComplete")
	return c.wait(j.ID)
}

// wait waits until the ingest job has ended.
func (c *client) wait(id string) jobAnswer {
	c.t.Helper()
	c.waitEnd(id)
	return c.job(id)
}

// waitEnd looks into the org until the job of either kind has ended; the org's own clock plays no part.
func (c *client) waitEnd(id string) {
	c.t.Helper()
	for range 10_000 {
		c.org.mu.RLock()
		j, err := c.org.job(id)
		q, qerr := c.org.queryJob(id)
		ended := err == nil && j.state.final() || qerr == nil && q.state.final()
		c.org.mu.RUnlock()
		if ended {
			return
		}
		time.Sleep(time.Millisecond)
	}
	c.t.Fatalf("job %s does not end", id)
}

// rows reads a result set, sorted by its last column, and checks that its header is the wanted one.
func (c *client) rows(id, set, header string) [][]string {
	c.t.Helper()
	rows := c.unsorted(id, set, header)
	slices.SortFunc(rows, func(a, b []string) int { return strings.Compare(a[len(a)-1], b[len(b)-1]) })
	return rows
}

func (c *client) unsorted(id, set, header string) [][]string {
	c.t.Helper()
	a := c.get("jobs/ingest/" + id + "/" + set + "/")
	if a.status != 200 {
		c.t.Fatalf("%s: %d %s", set, a.status, a.body)
	}
	first, _, _ := strings.Cut(a.body, "\n")
	if first != header {
		c.t.Fatalf("%s: header %s, want %s", set, first, header)
	}
	rows, err := csv.NewReader(strings.NewReader(a.body)).ReadAll()
	if err != nil {
		c.t.Fatal(err)
	}
	return rows[1:]
}

// insert saves rows and gives their ids in the order of the rows. The last column must tell rows apart and rise.
func (c *client) insert(object, header string, rows ...string) []string {
	c.t.Helper()
	j := c.load(spec{"object": object, "operation": "insert"}, header+"\n"+strings.Join(rows, "\n")+"\n")
	if j.State != "JobComplete" || j.Failed > 0 {
		c.t.Fatalf("insert %s: %+v, failed %s", object, j, c.get("jobs/ingest/"+j.ID+"/failedResults").body)
	}
	var ids []string
	for _, row := range c.rows(j.ID, "successfulResults", `"sf__Id","sf__Created",`+header) {
		ids = append(ids, row[0])
	}
	return ids
}

// values gives the records of an object as text.
func (c *client) values(object string, fields ...string) [][]string {
	return slices.Collect(c.org.Records(object, fields...))
}

func (c *client) soql(q string) answer {
	c.t.Helper()
	return c.get("query?q=" + url.QueryEscape(q))
}

// clock is an org's clock that a test moves on.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}
