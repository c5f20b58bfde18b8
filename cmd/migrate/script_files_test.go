package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func replaceCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: replace OLD NEW FILE")
	}
	text := ts.ReadFile(args[2])
	before, after := unquote(ts, args[0]), unquote(ts, args[1])
	if !strings.Contains(text, before) {
		ts.Fatalf("%s does not hold %q", args[2], before)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(strings.ReplaceAll(text, before, after)), 0o600))
}

func writeCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: write FILE TEXT")
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(unquote(ts, args[1])), 0o600))
}

func unquote(ts *testscript.TestScript, s string) string {
	text, err := strconv.Unquote(`"` + strings.ReplaceAll(s, `"`, `\"`) + `"`)
	if err != nil {
		ts.Fatalf("%q: %v", s, err)
	}
	return text
}

func jsonCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: json TYPE [KEY=VALUE…]")
	}
	known := []string{"plan", "status", "row_error", "warning", "summary", "error", "run", "snapshot", "forecast", "limit", "job", "org", "lineage", "published", "contents"}
	found := false
	for line := range strings.Lines(ts.ReadFile("stdout")) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			ts.Fatalf("not JSON: %s: %v", line, err)
		}
		kind, _ := m["message_type"].(string)
		if !slices.Contains(known, kind) {
			ts.Fatalf("message_type %q is none of %v: %s", kind, known, line)
		}
		found = found || kind == args[0] && !slices.ContainsFunc(args[1:], func(kv string) bool {
			key, want, _ := strings.Cut(kv, "=")
			return fmt.Sprint(m[key]) != want
		})
	}
	if !found {
		ts.Fatalf("no line is a %s with %v", args[0], args[1:])
	}
}

func awaitCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: await VAR FILE TEXT")
	}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		data, err := os.ReadFile(ts.MkAbs(args[1]))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			ts.Check(err)
		}
		_, after, ok := strings.Cut(string(data), args[2])
		if end := strings.IndexAny(after, " \n"); ok && end >= 0 {
			ts.Setenv(args[0], after[:end])
			return
		}
	}
	ts.Fatalf("%s does not hold %q after %v", args[1], args[2], patience)
}

func grownCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: grown FILE BYTES")
	}
	size := int64(number10(ts, args[1]))
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		found, err := filepath.Glob(ts.MkAbs(args[0]))
		ts.Check(err)
		for _, path := range found {
			if st, err := os.Stat(path); err == nil && st.Size() >= size {
				return
			}
		}
	}
	ts.Fatalf("%s is not %d bytes long after %v", args[0], size, patience)
}

func keyCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: key PRIVATE PUBLIC")
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	ts.Check(err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	ts.Check(err)
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	ts.Check(err)
	for i, b := range []*pem.Block{{Type: "PRIVATE KEY", Bytes: private}, {Type: "PUBLIC KEY", Bytes: public}} {
		ts.Check(os.WriteFile(ts.MkAbs(args[i]), pem.EncodeToMemory(b), 0o600))
	}
}

func foundCommand(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 || args[0] == "" {
		ts.Fatalf("usage: [!] found TEXT PATH…")
	}
	var in []string
	for _, root := range args[1:] {
		if root == "stdout" || root == "stderr" {
			if strings.Contains(ts.ReadFile(root), args[0]) {
				in = append(in, root)
			}
			continue
		}
		ts.Check(filepath.WalkDir(ts.MkAbs(root), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			data, err := os.ReadFile(path)
			if strings.Contains(string(data), args[0]) {
				in = append(in, path)
			}
			return err
		}))
	}
	switch {
	case neg && len(in) > 0:
		ts.Fatalf("%q stands in %v", args[0], in)
	case !neg && len(in) == 0:
		ts.Fatalf("%q stands nowhere in %v", args[0], args[1:])
	}
}
