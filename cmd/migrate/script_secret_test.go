package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// hushCommand is the command "hush TEXT…" of scripts: from here on the texts are secrets. @FILE stands for what the file holds, each line of it
// a secret.
func hushCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: hush TEXT…")
	}
	s := scriptOf(ts)
	for _, a := range args {
		texts := []string{a}
		if path, ok := strings.CutPrefix(a, "@"); ok {
			texts = strings.Split(ts.ReadFile(path), "\n")
		}
		for _, text := range texts {
			if len(text) > 4 && !strings.HasPrefix(text, "-----") {
				s.secrets = append(s.secrets, text)
			}
		}
	}
}

// discreetCommand is the command "discreet CODE COMMAND…" of scripts: exits, and no secret gets anywhere. Not into what is printed; not
// into a file below WORK, but for those in own/, which are the user's, and secret.json in a folder of migrate's that nobody else may read; not into
// an address or a header that the org was called with; not into the command line of a process.
func discreetCommand(ts *testscript.TestScript, neg bool, args []string) {
	s := scriptOf(ts)
	if neg || len(args) < 2 || len(s.secrets) == 0 {
		ts.Fatalf("usage: discreet CODE COMMAND…, after hush")
	}
	stop := watchProcesses(s.secrets)
	exitsCommand(ts, false, args)
	for _, line := range stop() {
		ts.Fatalf("the process list has shown %s", line)
	}
	check := func(where string, text []byte) {
		if secret := holds(text, s.secrets); secret != "" {
			ts.Fatalf("the secret %s stands in %s", secret, where)
		}
	}
	check("stdout", []byte(ts.ReadFile("stdout")))
	check("stderr", []byte(ts.ReadFile("stderr")))
	work := ts.Getenv("WORK")
	ts.Check(filepath.WalkDir(work, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if d.Name() == "own" {
				return filepath.SkipDir
			}
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if d.Name() == "secret.json" {
			if info, err := d.Info(); err != nil || info.Mode().Perm() != 0o600 {
				ts.Fatalf("%s has mode %v, %v", path, info.Mode(), err)
			}
			return nil
		}
		check(path, data)
		return nil
	}))
	if s.org != nil && s.org.seen != nil {
		check("what the org was called with", []byte(s.org.seen.String()))
	}
}

// holds gives the secret that a text holds, as it is or as it is written in addresses, JSON, XML, Base64 or for basic authentication; "" when
// it holds none.
func holds(text []byte, secrets []string) string {
	for _, secret := range secrets {
		quoted, _ := json.Marshal(secret)
		var escaped bytes.Buffer
		xml.EscapeText(&escaped, []byte(secret))
		for _, form := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret), strings.Trim(string(quoted), `"`), escaped.String(),
			base64.StdEncoding.EncodeToString([]byte(secret)), base64.RawURLEncoding.EncodeToString([]byte(secret))} {
			if bytes.Contains(text, []byte(form)) {
				return secret
			}
		}
	}
	return ""
}

// watchProcesses looks at the command lines of all processes until stop is called, which tells those that hold a secret. Where there is no
// /proc it sees none.
func watchProcesses(secrets []string) (stop func() []string) {
	done, found := make(chan struct{}), map[string]bool{}
	var watch sync.WaitGroup
	watch.Go(func() {
		for {
			lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
			for _, path := range lines {
				line, err := os.ReadFile(path)
				if secret := holds(line, secrets); err == nil && secret != "" {
					found[fmt.Sprintf("%q, which holds %s", line, secret)] = true
				}
			}
			select {
			case <-done:
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
	})
	return func() (list []string) {
		close(done)
		watch.Wait()
		for line := range found {
			list = append(list, line)
		}
		return list
	}
}

// seen is what others than the org get to see of the calls that it got: all but the bodies and the headers that exist for secrets.
type seen struct {
	http.Handler
	mu   sync.Mutex
	text strings.Builder
}

func (s *seen) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := r.Header.Clone()
	header.Del("Authorization")
	if r.Method == http.MethodConnect {
		header.Del("Proxy-Authorization")
	}
	s.mu.Lock()
	fmt.Fprintf(&s.text, "%s %s %v\n", r.Method, r.RequestURI, header)
	s.mu.Unlock()
	s.Handler.ServeHTTP(w, r)
}

func (s *seen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}
