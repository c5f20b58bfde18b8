package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// setClock makes the org's clock differ from this machine's. What it stamps bears its time; the Date of its answers does not.
func (s *scriptOrg) setClock(ts *testscript.TestScript, ahead string) {
	d, err := time.ParseDuration(ahead)
	ts.Check(err)
	s.ahead.Store(int64(d))
}

func (s *scriptOrg) now() time.Time { return time.Now().Add(time.Duration(s.ahead.Load())) }

// makeJob makes a job as another client would and puts its id into a variable: OPEN is an ingest job without data, CLOSED one that the
// org works on, QUERY a query job. An org with a client app:secret and a password pass:word lets another user make it.
func (s *scriptOrg) makeJob(ts *testscript.TestScript, kind, variable, user string) {
	token := scriptToken
	if user != "" {
		var login struct {
			Token string `json:"access_token"`
		}
		form := url.Values{"grant_type": {"password"}, "client_id": {"app"}, "client_secret": {"secret"}, "username": {user}, "password": {"password"}}
		s.call(ts, "", http.MethodPost, "/services/oauth2/token", "application/x-www-form-urlencoded", form.Encode(), &login)
		token = login.Token
	}
	const jobs = "/services/data/v66.0/jobs/"
	var job struct{ ID string }
	if kind == "QUERY" {
		s.call(ts, token, http.MethodPost, jobs+"query", "application/json", `{"operation":"query","query":"SELECT Id FROM Account"}`, &job)
	} else {
		s.call(ts, token, http.MethodPost, jobs+"ingest", "application/json", `{"object":"Account","operation":"insert"}`, &job)
	}
	if kind == "CLOSED" {
		s.call(ts, token, http.MethodPut, jobs+"ingest/"+job.ID+"/batches", "text/csv", "Name\nOne\n", nil)
		s.call(ts, token, http.MethodPatch, jobs+"ingest/"+job.ID, "application/json", `{"state":"UploadComplete"}`, nil)
	}
	ts.Setenv(variable, job.ID)
}

// call makes a call and reads its answer into out.
func (s *scriptOrg) call(ts *testscript.TestScript, token, method, path, contentType, body string, out any) {
	req, err := http.NewRequest(method, "http://localhost"+path, strings.NewReader(body))
	ts.Check(err)
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", contentType)
	resp, err := s.Transport().RoundTrip(req)
	ts.Check(err)
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	ts.Check(err)
	if resp.StatusCode/100 != 2 {
		ts.Fatalf("%s %s: %d %s", method, path, resp.StatusCode, answer)
	}
	if out != nil {
		ts.Check(json.Unmarshal(answer, out))
	}
}
