package sources_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"

	"migrate/pkg/sources"
	"migrate/pkg/sources/sourcetest"
)

// readDamaged reads a file that may be damaged. It checks what must hold in any case: no panic, errors that name the file, all
// records that the file claims to have or an error after those that were delivered.
func readDamaged(t *testing.T, path string) (records []sourcetest.Record, failed error) {
	t.Helper()
	src, err := sources.OpenParquet([]string{path}, sources.ParquetOptions{})
	if err != nil {
		if !strings.Contains(err.Error(), path) {
			t.Fatalf("the error does not name the file: %v", err)
		}
		return nil, err
	}
	for _, s := range src.Splits() {
		got, err := sourcetest.ReadSplit(src, s, position{})
		if err != nil {
			if !strings.Contains(err.Error(), path) {
				t.Fatalf("the error does not name the file: %v", err)
			}
			return records, err
		}
		records = append(records, got.Records...)
		if got.Err != io.EOF {
			if !strings.Contains(got.Err.Error(), path) {
				t.Fatalf("the error does not name the file: %v", got.Err)
			}
			return records, got.Err
		}
		if n := s.End - s.Start.Offset; int64(len(got.Records)) != n {
			t.Fatalf("a quiet end after %d records of %d", len(got.Records), n)
		}
	}
	return records, nil
}

func TestParquetDamaged(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"plain", "v2 zstd", "brotli", "dictionary"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			good, err := os.ReadFile(writeParquet(t, everyType(), 9, 5, layouts[name]...))
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "t.parquet")
			failed := 0
			for at := 0; at < len(good); at += 1 + len(good)/100 {
				bad := []byte(string(good))
				bad[at] ^= byte(1 << (at % 8))
				if at%3 == 0 {
					bad[at] = 0xff
				}
				if err := os.WriteFile(path, bad, 0o600); err != nil {
					t.Fatal(err)
				}
				if _, err := readDamaged(t, path); err != nil {
					failed++
				}
				if err := os.WriteFile(path, good[:at], 0o600); err != nil {
					t.Fatal(err)
				}
				if _, err := readDamaged(t, path); err == nil {
					t.Fatalf("cut at %d of %d: no error", at, len(good))
				}
			}
			if failed < 10 { // many bytes are values, whose damage nothing can show
				t.Errorf("%d of about 100 damaged files gave an error", failed)
			}
		})
	}
}

// What stands before the damage is delivered.
func TestParquetDamagedLate(t *testing.T) {
	t.Parallel()
	cols := []pqColumn{{leafNode("x", required, noLogical, parquet.Types.Int64, -1), func(i int) any { return int64(i) }, nil}}
	good, err := os.ReadFile(writeParquet(t, cols, 30000, 10000, parquet.WithCompression(compress.Codecs.Gzip), parquet.WithDictionaryDefault(false)))
	if err != nil {
		t.Fatal(err)
	}
	at := len(good) / 2 // in the second row group
	good[at] ^= 0x10
	recs, err := readDamaged(t, write(t, "t.parquet", string(good)))
	if len(recs) < 10000 || len(recs) >= 20000 || err == nil || !strings.Contains(err.Error(), "at record ") {
		t.Errorf("%d records, then %v", len(recs), err)
	}
}

func FuzzParquet(f *testing.F) {
	for _, name := range []string{"plain", "v2 zstd", "dictionary"} {
		good, err := os.ReadFile(writeParquet(f, everyType()[:12], 4, 3, layouts[name]...))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(good)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, file []byte) {
		path := filepath.Join(dir, "fuzz.parquet")
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		readDamaged(t, path)
	})
}
