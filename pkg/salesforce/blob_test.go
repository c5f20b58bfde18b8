package salesforce_test

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"migrate/pkg/salesforce"
)

// TestBlob: the bytes of a file, whatever a server or a gateway makes of the way; what is no file is never taken for one.
func TestBlob(t *testing.T) {
	t.Parallel()
	content := strings.Repeat("\x00\xff\r\n\x1f\x8b", 50_000)
	for _, tt := range []struct {
		name   string
		answer func(w http.ResponseWriter, n int) // n counts the calls from 1
		want   error
		calls  int64
	}{
		{"as it is", func(w http.ResponseWriter, _ int) { io.WriteString(w, content) }, nil, 1},
		{"packed unasked", func(w http.ResponseWriter, _ int) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			io.WriteString(z, content)
			z.Close()
		}, nil, 1},
		{"busy, then there", func(w http.ResponseWriter, n int) {
			if n < 3 {
				w.WriteHeader(503)
				return
			}
			io.WriteString(w, content)
		}, nil, 3},
		{"cut", func(w http.ResponseWriter, _ int) {
			w.Header().Set("Content-Length", "300000")
			io.WriteString(w, content[:100_000])
		}, salesforce.ErrTemporary, 1},
		{"gone", func(w http.ResponseWriter, _ int) {
			answerJSON(404, `[{"errorCode":"NOT_FOUND","message":"The requested resource does not exist"}]`)(w)
		}, salesforce.ErrGone, 1},
		{"forbidden", func(w http.ResponseWriter, _ int) {
			answerJSON(403, `[{"errorCode":"INSUFFICIENT_ACCESS","message":"no"}]`)(w)
		}, errOther, 1},
		{"a gateway's page", func(w http.ResponseWriter, _ int) {
			w.WriteHeader(404)
			io.WriteString(w, "<html>no such host</html>")
		}, errOther, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			n := 0
			c := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method != "GET" || r.URL.EscapedPath() != "/services/data/v66.0/sobjects/ContentVersion/068a%2F..%2Fb/VersionData" || r.Header.Get("Accept-Encoding") != "identity" {
					t.Errorf("got %s %s %v", r.Method, r.URL, r.Header)
				}
				n++
				tt.answer(w, n)
			})
			body, err := c.Blob(t.Context(), "ContentVersion", "068a/../b", "VersionData")
			var got []byte
			if err == nil {
				got, err = io.ReadAll(body)
				body.Close()
			}
			switch {
			case tt.want == nil && (err != nil || string(got) != content):
				t.Errorf("%d bytes, %v", len(got), err)
			case tt.want == errOther && (err == nil || errors.Is(err, salesforce.ErrGone) || errors.Is(err, salesforce.ErrTemporary)):
				t.Errorf("got %v", err)
			case tt.want != nil && tt.want != errOther && !errors.Is(err, tt.want):
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if c.Calls() != tt.calls {
				t.Errorf("%d calls, want %d", c.Calls(), tt.calls)
			}
		})
	}
}

var errOther = errors.New("another error")
