package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"migrate/internal/localorg"
	"migrate/pkg/bulk2"
	"migrate/pkg/salesforce"
)

// witness is a local org over loopback that outlives the processes that export from it, and knows what each of them has asked for.
type witness struct {
	*localorg.Org
	server *httptest.Server
	busy   atomic.Int64 // calls that are not answered yet

	mu sync.Mutex
	*asked
}

// asked is what one process has asked for.
type asked struct {
	requests int
	creates  int            // of query jobs
	looks    int            // calls for query jobs that are there
	pages    map[string]int // how often, by query job and locator
	answered int            // pages
	begun    time.Time
	create   time.Time // of the first query job
	first    time.Time // page
	last     time.Time // page, when it was answered

	until   moment
	reached chan struct{} // closed when the calls are those of the moment
}

// note closes reached when it is time.
func (a *asked) note() {
	m := a.until
	if m.request > 0 && a.requests >= m.request || m.create && a.creates > 0 || m.pages > 0 && a.answered >= m.pages {
		a.until = moment{}
		close(a.reached)
	}
}

// newWitness makes an org with so many accounts. A page has a hundredth of them.
func newWitness(t *testing.T, rows int) *witness {
	t.Helper()
	// The query job waits for 700 ms and works for half a second besides what it takes, so that there is time to be killed in.
	org, err := localorg.Open(localorg.Config{AccessToken: scriptToken, ResultPage: rows / 100, StartDelay: 700 * time.Millisecond,
		BatchTime: 500 * time.Millisecond * 10_000 / time.Duration(rows), DailyAPI: 10_000_000})
	if err != nil {
		t.Fatal(err)
	}
	w := &witness{Org: org}
	w.next(moment{})
	fillAccounts(t, org, rows)
	w.server = httptest.NewServer(w)
	t.Cleanup(func() {
		w.server.Close()
		org.Close()
	})
	return w
}

// next begins the account of another process.
func (w *witness) next(until moment) *asked {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = &asked{pages: map[string]int{}, begun: time.Now(), until: until, reached: make(chan struct{})}
	return w.asked
}

func (w *witness) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.busy.Add(1)
	defer w.busy.Add(-1)
	_, call, _ := strings.Cut(r.URL.Path, "/jobs/query")
	job, isPage := strings.CutSuffix(call, "/results")
	w.mu.Lock()
	a := w.asked
	a.requests++
	if strings.HasPrefix(call, "/") {
		a.looks++
	}
	switch {
	case r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/jobs/query"):
		if a.creates++; a.creates == 1 {
			a.create = time.Now()
		}
	case isPage:
		if len(a.pages) == 0 {
			a.first = time.Now()
		}
		a.pages[strings.TrimPrefix(job, "/")+" "+r.URL.Query().Get("locator")]++
	}
	a.note()
	w.mu.Unlock()
	w.Org.ServeHTTP(rw, r)
	if isPage {
		w.mu.Lock()
		defer w.mu.Unlock()
		a.last = time.Now()
		a.answered++
		a.note()
	}
}

// rest waits until nothing of a process that is dead is on its way any more.
func (w *witness) rest() {
	w.server.CloseClientConnections()
	for w.busy.Load() > 0 {
		time.Sleep(time.Millisecond)
	}
}

// fillAccounts puts accounts into an org, with values that are hard to write.
func fillAccounts(t *testing.T, org *localorg.Org, rows int) {
	t.Helper()
	sf, err := salesforce.Open(t.Context(), salesforce.Config{InstanceURL: "http://localhost", Auth: salesforce.AccessToken(scriptToken), Transport: org.Transport()})
	if err != nil {
		t.Fatal(err)
	}
	client := bulk2.New(sf)
	day := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	for from := 0; from < rows; from += 250_000 {
		body := bulk2.AppendRecord(nil, "Legacy_Id__c", "Name", "AnnualRevenue", "NumberOfEmployees", "Active__c", "CreatedDate", "Description")
		for i := from; i < min(from+250_000, rows); i++ {
			revenue, text := fmt.Sprint(i*12_345_678), ""
			switch i % 5 {
			case 0:
				revenue = ""
			case 1:
				revenue = fmt.Sprintf("%d.5", i)
				text = "with, a \"quote\"\nand a second line"
			case 2:
				text = "Ünïcode 𝄞 'and' \\t"
			}
			body = bulk2.AppendRecord(body, fmt.Sprint("L", i), fmt.Sprintf("Account, no. %d", i), revenue, fmt.Sprint(i%5000), fmt.Sprint(i%3 == 0),
				day.Add(time.Duration(i)*time.Minute).Format(time.RFC3339), text)
		}
		job, err := client.Create(t.Context(), bulk2.Spec{Object: "Account", Operation: bulk2.Insert})
		if err != nil {
			t.Fatal(err)
		}
		if err := client.Upload(t.Context(), job.ID, func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(string(body))), nil }, int64(len(body))); err != nil {
			t.Fatal(err)
		}
		for job, err = client.Close(t.Context(), job.ID); err == nil && !job.State.Terminal(); job, err = client.Job(t.Context(), job.ID) {
			time.Sleep(time.Second)
		}
		if err != nil || job.Failed > 0 {
			t.Fatalf("%+v, %v", job, err)
		}
	}
}
