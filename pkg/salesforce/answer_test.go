package salesforce_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"migrate/pkg/salesforce"
)

func packed(s string) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	io.WriteString(w, s)
	w.Close()
	return b.Bytes()
}

func rows(n int) string {
	var b strings.Builder
	b.WriteString("Id,Name\n")
	for i := range n {
		b.WriteString("001" + strconv.Itoa(i*7919) + ",Name " + strconv.Itoa(i) + "\n")
	}
	return b.String()
}

// TestPackedAnswers over a real connection and over a transport that knows nothing of gzip.
func TestPackedAnswers(t *testing.T) {
	t.Parallel()
	csv := rows(50_000)
	overSockets := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "gzip" {
			w.WriteHeader(406)
			return
		}
		w.Header().Set("Content-Encoding", "gzip")
		w.Write(packed(csv))
	})
	inProcess := open(t, salesforce.Config{Transport: wire(func(*http.Request) (*http.Response, error) {
		return reply(200, string(packed(csv)), "Content-Encoding", "gzip", "Content-Length", "17"), nil
	})})
	plain := open(t, salesforce.Config{Transport: wire(func(*http.Request) (*http.Response, error) { return reply(200, csv), nil })})
	for name, c := range map[string]*salesforce.Client{"sockets": overSockets, "in process": inProcess, "plain": plain} {
		resp, err := c.Do(t.Context(), &salesforce.Request{Method: "GET", Path: "/x"})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || string(got) != csv {
			t.Errorf("%s: got %d bytes, want %d: %v", name, len(got), len(csv), err)
		}
		if name != "plain" && (resp.Header.Get("Content-Encoding") != "" || resp.Header.Get("Content-Length") != "" || resp.ContentLength != -1 || !resp.Uncompressed) {
			t.Errorf("%s: the answer still looks packed: %v, length %d", name, resp.Header, resp.ContentLength)
		}
	}
}

// TestCutAnswerIsAnError to whoever reads it, wherever it is cut, packed or not.
func TestCutAnswerIsAnError(t *testing.T) {
	t.Parallel()
	csv := rows(20_000)
	for _, pack := range []bool{false, true} {
		body := []byte(csv)
		if pack {
			body = packed(csv)
		}
		for _, keep := range []int{0, 1, 9, len(body) / 2, len(body) - 8, len(body) - 1} {
			for _, how := range []string{"length", "chunks"} {
				c := serve(t, func(w http.ResponseWriter, r *http.Request) {
					if pack {
						w.Header().Set("Content-Encoding", "gzip")
					}
					if how == "length" {
						w.Header().Set("Content-Length", strconv.Itoa(len(body)))
					}
					w.WriteHeader(200)
					w.Write(body[:keep])
					w.(http.Flusher).Flush()
					panic(http.ErrAbortHandler)
				})
				for class, want := range map[salesforce.Class]error{salesforce.Repeat: salesforce.ErrTemporary, salesforce.Ask: salesforce.ErrOutcomeUnknown} {
					resp, err := c.Do(t.Context(), &salesforce.Request{Method: "GET", Path: "/jobs/x/results", Class: class})
					if err != nil {
						t.Fatalf("packed %v, %s, %d bytes: %v", pack, how, keep, err)
					}
					_, err = io.Copy(io.Discard, resp.Body)
					if !errors.Is(err, want) || !strings.Contains(err.Error(), "GET /jobs/x/results") {
						t.Errorf("packed %v, %s, %d of %d bytes: got %v, want %v", pack, how, keep, len(body), err, want)
					}
					if _, again := resp.Body.Read(make([]byte, 1)); again != err {
						t.Errorf("packed %v, %s: the error does not last: %v", pack, how, again)
					}
					resp.Body.Close()
				}
			}
		}
	}
}

// TestPackedAnswerCutCleanly: compression shows even what HTTP cannot, the early end of a body without length.
func TestPackedAnswerCutCleanly(t *testing.T) {
	t.Parallel()
	body := packed(rows(1000))
	for keep := 1; keep < len(body); keep += 1 + len(body)/50 {
		c := open(t, salesforce.Config{Transport: wire(func(*http.Request) (*http.Response, error) {
			r := reply(200, string(body[:keep]), "Content-Encoding", "gzip")
			r.ContentLength = -1
			return r, nil
		})})
		resp, err := c.Do(t.Context(), &salesforce.Request{Method: "GET", Path: "/x", Class: salesforce.Repeat})
		if err != nil {
			t.Fatal(err)
		}
		if _, err = io.Copy(io.Discard, resp.Body); !errors.Is(err, salesforce.ErrTemporary) {
			t.Errorf("%d of %d bytes: got %v", keep, len(body), err)
		}
	}
}

// TestDamagedPackedAnswer: the checksum is compared.
func TestDamagedPackedAnswer(t *testing.T) {
	t.Parallel()
	body := packed(rows(1000))
	body[len(body)-6] ^= 1
	c := open(t, salesforce.Config{Transport: wire(func(*http.Request) (*http.Response, error) {
		return reply(200, string(body), "Content-Encoding", "gzip"), nil
	})})
	resp, err := c.Do(t.Context(), &salesforce.Request{Method: "GET", Path: "/x", Class: salesforce.Repeat})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = io.Copy(io.Discard, resp.Body); !errors.Is(err, salesforce.ErrTemporary) {
		t.Errorf("got %v", err)
	}
}

func TestAnswersWithoutBody(t *testing.T) {
	t.Parallel()
	for _, status := range []int{204, 304} {
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			w.WriteHeader(status)
		})
		resp, err := c.Do(t.Context(), &salesforce.Request{Method: "GET", Path: "/x", Header: http.Header{"If-Modified-Since": {"Tue, 23 Mar 2026 00:00:00 GMT"}}})
		if err != nil {
			t.Errorf("%d: %v", status, err)
			continue
		}
		if b, err := io.ReadAll(resp.Body); resp.StatusCode != status || len(b) != 0 || err != nil {
			t.Errorf("%d: got %d, %q, %v", status, resp.StatusCode, b, err)
		}
		resp.Body.Close()
	}
}

func TestContextEndsTheAnswer(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "Id\n")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	resp, err := c.Do(ctx, &salesforce.Request{Method: "GET", Path: "/x", Class: salesforce.Repeat})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	io.ReadFull(resp.Body, make([]byte, 3))
	cancel()
	_, err = io.Copy(io.Discard, resp.Body)
	if got := outcome(err); got != "context canceled" {
		t.Errorf("got %s: %v", got, err)
	}
}
