package sources_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"migrate/pkg/sources"
	"migrate/pkg/sources/sourcetest"
)

func TestSpool(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "stdin")
	for _, text := range []string{"id,name\n1,a\n2\n", strings.Repeat("id,name\n1,a\n2\n", 200000)} {
		if err := sources.Spool(t.Context(), iotest.HalfReader(strings.NewReader(text)), path); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != text {
			t.Fatalf("%d bytes were spooled of %d: %v", len(got), len(text), err)
		}
		if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("mode %v, %v; want 0600", st.Mode(), err)
		}
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range []error{
		sources.Spool(t.Context(), iotest.TimeoutReader(strings.NewReader(strings.Repeat("x", 5<<20))), path+"2"),
		sources.Spool(cancelled, strings.NewReader("x"), path+"2"),
	} {
		if err == nil || !strings.Contains(err.Error(), path+"2") {
			t.Errorf("spooled without an error that names the file: %v", err)
		}
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("files left behind: %v, %v", left, err)
	}
}

// Messages, reports and the dialect speak of standard input; another process finds the file.
func TestStandardInput(t *testing.T) {
	t.Parallel()
	path := write(t, "spooled", "id,name\n1,a\n2\n")
	names := map[string]string{path: sources.StandardInput}
	src, err := sources.OpenCSV([]string{path}, options{Names: names})
	if err != nil {
		t.Fatal(err)
	}
	s := src.Splits()[0]
	if s.Path != "standard input" || s.ID != "standard input@8" || !strings.HasPrefix(s.Dialect.String(), "standard input: UTF-8") {
		t.Errorf("the split is %q of %q: %v", s.ID, s.Path, s.Dialect)
	}
	sourcetest.Run(t, csvOpener(path, options{Names: names}))
	if err := os.WriteFile(path, []byte("id,name\n\"1,a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := src.Open(t.Context(), s, position{}); !errors.Is(err, sources.ErrChanged) || !strings.Contains(err.Error(), "standard input: the file has changed") {
		t.Errorf("a file that changed: %v", err)
	}
	src, err = sources.OpenCSV([]string{path}, options{Names: names})
	if err != nil {
		t.Fatal(err)
	}
	got, err := sourcetest.ReadSplit(src, src.Splits()[0], position{})
	if err != nil || got.Err == io.EOF || !strings.HasPrefix(got.Err.Error(), "standard input: line 2") {
		t.Errorf("an open quote: %v, %v", got.Err, err)
	}
}
