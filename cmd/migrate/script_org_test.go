package main

import (
	"encoding/csv"
	"flag"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"migrate/internal/localorg"
)

// scriptOrg is the local org of a script, on a free loopback port of the test's own process.
type scriptOrg struct {
	*localorg.Org
	server *httptest.Server
	seen   *seen        // nil where it is not called over a port
	ahead  atomic.Int64 // of its clock, in nanoseconds
	// contents are those of addContents, by the Id of their record.
	contents map[string][32]byte
}

// scriptToken is the token of every script's org.
const scriptToken = "00D5g0000000001!tOkEn-of-the-ScRiPt"

// orgCommand is the command "org" of scripts:
//
//	org start [-start-delay D] [-batch-time D] [-client ID:SECRET] [-jwt PUBLIC.pem] [-password PASSWORD:TOKEN] [-rotate] [-token-life D] [-daily-batches N]
//	          [-daily-api N] [-daily-records N] [-daily-query-jobs N] [-jobs-per-page N] [-result-page N] [-query-page N]
//	                                   start it; ORG is its address, MIGRATE_INSTANCE_URL and MIGRATE_ACCESS_TOKEN lead to it
//	org open FOLDER                    open the one that a run with --org local left behind; * is allowed
//	org count OBJECT N                 it holds N records
//	org once OBJECT FIELD N            it holds N records, and the field has another value in each
//	org wait OBJECT N                  wait until it holds N records or more
//	org called ENDPOINT N [soon]       the endpoint, such as 'POST jobs/ingest', was called N times; soon waits for it
//	org called-about ENDPOINT N        wait until it was called N times or more
//	org slow ENDPOINT DELAY            each such call is answered so much later
//	org mend                           the end of faults and delays
//	org fault ENDPOINT KIND [TIMES [BYTES]]
//	                                   make calls fail; see localorg.Fault; "limit" refuses them as beyond the daily API limit, "forbidden" for want of a permission,
//	                                   "missing" as not there
//	org files N BYTES [Attachment]     it gets N content versions more, or attachments, see addContents
//	org contents FOLDER [MOST]         the folder has their contents, and no more than MOST were fetched; see checkContents
//	org records OBJECT FIELD… FILE     write the fields of all records as CSV, sorted by line; ParentId:Account.Name is the name of the parent
//	org clock D                        its clock shows D more than this machine's
//	org job OPEN|CLOSED|QUERY VAR [USER]
//	                                   another client makes a job, see makeJob
//	org polite                         no client did what a well-behaved one does not
func orgCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: org start|count|once|wait|called|fault|records|polite …")
	}
	s := scriptOf(ts)
	switch args[0] {
	case "start":
		s.org = startOrg(ts, args[1:])
		return
	case "open":
		s.org = openOrg(ts, args[1:])
		return
	}
	if s.org == nil {
		ts.Fatalf("org: start it first")
	}
	need := func(n int) []string {
		if len(args) < n+1 {
			ts.Fatalf("org %s: %d words are missing", args[0], n+1-len(args))
		}
		return args[1:]
	}
	switch args[0] {
	case "count":
		a := need(2)
		if got, want := s.org.Count(a[0]), number10(ts, a[1]); got != want {
			ts.Fatalf("the org holds %d records of %s, want %d", got, a[0], want)
		}
	case "once":
		a := need(3)
		k, err := s.org.Keys(a[0], a[1])
		ts.Check(err)
		if want := number10(ts, a[2]); k != (localorg.KeyAudit{Rows: want, Distinct: want}) {
			ts.Fatalf("%s of %s: %+v, want %d rows, each once", a[1], a[0], k, want)
		}
	case "wait":
		a := need(2)
		want := number10(ts, a[1])
		for deadline := time.Now().Add(patience); s.org.Count(a[0]) < want; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				ts.Fatalf("after %v the org holds %d records of %s, want %d", patience, s.org.Count(a[0]), a[0], want)
			}
		}
	case "called":
		a := need(2)
		got, want := s.org.Audit().Calls[a[0]], number10(ts, a[1])
		for deadline := time.Now().Add(patience); len(a) > 2 && got < want && time.Now().Before(deadline); got = s.org.Audit().Calls[a[0]] {
			time.Sleep(5 * time.Millisecond)
		}
		if got != want {
			ts.Fatalf("%s was called %d times, want %d; all calls: %v", a[0], got, want, s.org.Audit().Calls)
		}
	case "called-about":
		a := need(2)
		for deadline := time.Now().Add(patience); s.org.Audit().Calls[a[0]] < number10(ts, a[1]); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				ts.Fatalf("after %v %s was called %d times, want %s", patience, a[0], s.org.Audit().Calls[a[0]], a[1])
			}
		}
	case "fault":
		a := need(2)
		f := localorg.Fault{Endpoint: a[0], Kind: a[1], Times: 1}
		if f.Kind == "limit" {
			f.Kind, f.Status, f.ContentType = localorg.FaultStatus, 403, "application/json"
			f.Body = `[{"message":"TotalRequests Limit exceeded.","errorCode":"REQUEST_LIMIT_EXCEEDED"}]`
		}
		if f.Kind == "forbidden" {
			f.Kind, f.Status, f.ContentType = localorg.FaultStatus, 403, "application/json"
			f.Body = `[{"message":"insufficient access rights on cross-reference id","errorCode":"INSUFFICIENT_ACCESS"}]`
		}
		if f.Kind == "missing" {
			f.Kind, f.Status, f.ContentType = localorg.FaultStatus, 404, "application/json"
			f.Body = `[{"message":"The requested resource does not exist","errorCode":"NOT_FOUND"}]`
		}
		if len(a) > 2 {
			f.Times = number10(ts, a[2])
		}
		if len(a) > 3 {
			f.Bytes = int64(number10(ts, a[3]))
		}
		ts.Check(s.org.Fault(f))
	case "files":
		a := need(2)
		object := "ContentVersion"
		if len(a) > 2 {
			object = a[2]
		}
		s.org.addContents(ts, object, number10(ts, a[0]), number10(ts, a[1]))
	case "contents":
		a := need(1)
		s.org.checkContents(ts, ts.MkAbs(a[0]))
		got := 0
		for _, call := range contentCalls {
			got += s.org.Audit().Calls[call]
		}
		if len(a) > 1 && got > number10(ts, a[1]) {
			ts.Fatalf("%d contents were fetched, at most %s should be", got, a[1])
		}
	case "slow":
		a := need(2)
		d, err := time.ParseDuration(a[1])
		ts.Check(err)
		ts.Check(s.org.Fault(localorg.Fault{Endpoint: a[0], Kind: localorg.FaultSlowReply, Delay: d, Times: -1}))
	case "mend":
		s.org.ClearFaults()
	case "records":
		a := need(3)
		writeRecords(ts, s.org.Org, a[0], a[1:len(a)-1], a[len(a)-1])
	case "clock":
		s.org.setClock(ts, need(1)[0])
	case "job":
		a := append(need(2), "")
		s.org.makeJob(ts, a[0], a[1], a[2])
	case "polite":
		if v := s.org.Audit().Violations; len(v) > 0 {
			ts.Fatalf("%d times a client did what it should not: %+v", len(v), v)
		}
	default:
		ts.Fatalf("org %s: unknown", args[0])
	}
}

func startOrg(ts *testscript.TestScript, args []string) *scriptOrg {
	cfg := localorg.Config{AccessToken: scriptToken}
	var client, key, password string
	f := flag.NewFlagSet("org start", flag.ContinueOnError)
	f.DurationVar(&cfg.StartDelay, "start-delay", 0, "")
	f.DurationVar(&cfg.BatchTime, "batch-time", 0, "")
	f.Int64Var(&cfg.DailyBatches, "daily-batches", 0, "")
	f.Int64Var(&cfg.DailyAPI, "daily-api", 0, "")
	f.Int64Var(&cfg.DailyRecords, "daily-records", 0, "")
	f.Int64Var(&cfg.DailyQueryJobs, "daily-query-jobs", 0, "")
	f.IntVar(&cfg.ResultPage, "result-page", 0, "")
	f.IntVar(&cfg.QueryPage, "query-page", 0, "")
	f.IntVar(&cfg.JobsPerPage, "jobs-per-page", 0, "")
	f.StringVar(&client, "client", "", "")
	f.StringVar(&key, "jwt", "", "")
	f.StringVar(&password, "password", "", "")
	f.BoolVar(&cfg.RotateRefresh, "rotate", false, "")
	f.DurationVar(&cfg.TokenLife, "token-life", 0, "")
	ts.Check(f.Parse(args))
	cfg.ClientID, cfg.ClientSecret, _ = strings.Cut(client, ":")
	cfg.Password, cfg.SecurityToken, _ = strings.Cut(password, ":")
	if key != "" {
		var err error
		cfg.JWTKey, err = readPublicKey(ts.MkAbs(key))
		ts.Check(err)
	}
	s := &scriptOrg{}
	cfg.Now = s.now
	org, err := localorg.Open(cfg)
	ts.Check(err)
	calls := &seen{Handler: org}
	server := httptest.NewServer(calls)
	ts.Defer(func() {
		server.CloseClientConnections()
		server.Close()
		ts.Check(org.Close())
	})
	ts.Setenv("ORG", server.URL)
	ts.Setenv("MIGRATE_INSTANCE_URL", server.URL)
	ts.Setenv("MIGRATE_ACCESS_TOKEN", scriptToken)
	s.Org, s.server, s.seen = org, server, calls
	return s
}

// openOrg opens the local org of a run that has ended.
func openOrg(ts *testscript.TestScript, args []string) *scriptOrg {
	if len(args) != 1 {
		ts.Fatalf("usage: org open FOLDER")
	}
	org, err := localorg.Open(localorg.Config{Dir: theOne(ts, args[0])})
	ts.Check(err)
	ts.Defer(func() { ts.Check(org.Close()) })
	return &scriptOrg{Org: org}
}

// theOne is the only path that fits a pattern.
func theOne(ts *testscript.TestScript, pattern string) string {
	found, err := filepath.Glob(ts.MkAbs(pattern))
	ts.Check(err)
	if len(found) != 1 {
		ts.Fatalf("%d paths fit %s, want one: %v", len(found), pattern, found)
	}
	return found[0]
}

func writeRecords(ts *testscript.TestScript, org *localorg.Org, object string, fields []string, path string) {
	parents := make([]map[string]string, len(fields)) // by place: what stands for the Id of a parent
	for i, f := range fields {
		var from string
		if fields[i], from, _ = strings.Cut(f, ":"); from == "" {
			continue
		}
		parents[i] = map[string]string{}
		parent, field, _ := strings.Cut(from, ".")
		for r := range org.Records(parent, "Id", field) {
			parents[i][r[0]] = r[1]
		}
	}
	var rows [][]string
	for r := range org.Records(object, fields...) {
		row := slices.Clone(r)
		for i, names := range parents {
			if names != nil && row[i] != "" {
				row[i] = names[row[i]]
			}
		}
		rows = append(rows, row)
	}
	slices.SortFunc(rows, slices.Compare[[]string])
	f, err := os.Create(ts.MkAbs(path))
	ts.Check(err)
	w := csv.NewWriter(f)
	ts.Check(w.WriteAll(rows))
	ts.Check(f.Close())
}

func number10(ts *testscript.TestScript, s string) int {
	n, err := strconv.Atoi(s)
	ts.Check(err)
	return n
}
