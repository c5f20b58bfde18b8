package sources_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"migrate/pkg/sources"
	"migrate/pkg/sources/sourcetest"
)

// Compressed files, however damaged, give records and then the end or an error that names the file.
func FuzzCompressed(f *testing.F) {
	for _, how := range packings {
		f.Add([]byte(pack(f, how, someTrouble, 20)))
		f.Add([]byte(pack(f, how, "{\"a\":1}\n{\"a\":\"x\"}\n", 5)))
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, file []byte) {
		path := filepath.Join(dir, "fuzz")
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		read := func(src sources.Source, err error) {
			if err == nil {
				var got sourcetest.Read
				if got, err = sourcetest.ReadSplit(src, src.Splits()[0], position{}); err == nil && got.Err != io.EOF {
					err = got.Err
				}
			}
			if err != nil && !strings.Contains(err.Error(), path) {
				t.Fatalf("the error does not name the file: %v", err)
			}
		}
		csv, err := sources.OpenCSV([]string{path}, options{})
		read(csv, err)
		jsonl, err := sources.OpenJSONL([]string{path}, jsonOptions{})
		read(jsonl, err)
	})
}
