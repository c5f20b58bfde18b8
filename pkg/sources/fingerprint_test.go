package sources_test

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"migrate/pkg/sources"
)

func TestFingerprint(t *testing.T) {
	t.Parallel()
	text := bytes.Repeat([]byte("0123456789abcde\n"), 64<<10) // 1 MiB
	path := write(t, "f.csv", string(text))
	at := time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC)
	take := func(text []byte, at time.Time) sources.Fingerprint {
		t.Helper()
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
		f, err := sources.FingerprintFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	was := take(text, at)
	changed := func(i int) []byte {
		c := bytes.Clone(text)
		c[i] ^= 1
		return c
	}
	for _, tt := range []struct {
		name string
		is   sources.Fingerprint
		want []string // pieces of Diff; none: the same
	}{
		{"same", take(text, at), nil},
		{"touched", take(text, at.Add(time.Nanosecond)), []string{"modified at 2026-01-02T03:04:05.678000001Z"}},
		{"head", take(changed(0), at), []string{"content differs"}},
		{"tail", take(changed(len(text)-1), at), []string{"content differs"}},
		{"a block between", take(changed((len(text)-16<<10)*7/15+5), at), []string{"content differs"}},
		{"longer", take(append(bytes.Clone(text), 'x'), at), []string{"size was 1048576 bytes, is 1048577", "content differs"}},
	} {
		got := was.Diff(tt.is)
		if (got == "") != (tt.want == nil) {
			t.Errorf("%s: Diff says %q", tt.name, got)
		}
		for _, w := range tt.want {
			if !strings.Contains(got, w) {
				t.Errorf("%s: Diff says %q, want %q in it", tt.name, got, w)
			}
		}
	}
	small := bytes.Repeat([]byte("x"), 200<<10) // is hashed in full
	was = take(small, at)
	small[123_456] = 'y'
	if was.Diff(take(small, at)) == "" {
		t.Error("a change in a small file is not seen")
	}

	stored, err := json.Marshal(was)
	if err != nil {
		t.Fatal(err)
	}
	var back sources.Fingerprint
	if err := json.Unmarshal(stored, &back); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(was, back); d != "" || was.Diff(back) != "" {
		t.Errorf("stored and read back (-was +is):\n%s%s", d, was.Diff(back))
	}
}
