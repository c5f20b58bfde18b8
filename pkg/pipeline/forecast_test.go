package pipeline_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"migrate/pkg/pipeline"
	"migrate/pkg/sources"
	"migrate/pkg/transform"
)

// TestForesee: with all rows the forecast is exact; from a sample it is near; a limit is kept.
func TestForesee(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.csv")
	var b strings.Builder
	b.WriteString("name,n\n")
	const rows = 50_000
	for i := range rows {
		switch {
		case i%10 == 3:
			fmt.Fprintf(&b, "gone,%d\n", i)
		case i%100 == 7:
			fmt.Fprintf(&b, "bad,x%d\n", i)
		case i%1000 == 9:
			fmt.Fprintf(&b, "malformed,%d,too many\n", i)
		default:
			fmt.Fprintf(&b, "name,%d\n", i)
		}
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	src, err := sources.OpenCSV([]string{path}, sources.CSVOptions{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := transform.Compile(transform.Mapping{Where: `name != "gone"`, Fields: []transform.Field{{To: "Name", From: "name"},
		{To: "Amount", From: "n", Steps: transform.Steps{Number: &transform.Number{}}}}}, src.Schema())
	if err != nil {
		t.Fatal(err)
	}
	job := pipeline.Job{Name: "j", Source: src, Mapping: m, Columns: []pipeline.Column{{Header: "Name"}, {Header: "Amount"}}}
	exact, err := pipeline.Foresee(t.Context(), job, pipeline.Options{ChunkRows: 20_000}, true, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if exact.Read != rows || exact.Filtered != rows/10 || exact.Rejected != rows/100+rows/1000 || exact.Rows != rows-rows/10-rows/100-rows/1000 || !exact.Exact ||
		exact.Jobs != 3 || exact.Batches != 5+3 || exact.Rules[transform.RuleNumber] != rows/100 || exact.Rules[sources.RuleTooManyColumns] != rows/1000 ||
		exact.Example[transform.RuleNumber].Line != 9 {
		t.Errorf("exact %+v", exact)
	}
	about, err := pipeline.Foresee(t.Context(), job, pipeline.Options{ChunkRows: 20_000}, false, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	near := func(what string, got, want int64) {
		if got < want*9/10 || got > want*11/10 {
			t.Errorf("%s is reckoned to be %d, and is %d", what, got, want)
		}
	}
	near("read", about.Read, exact.Read)
	near("rows", about.Rows, exact.Rows)
	near("filtered", about.Filtered, exact.Filtered)
	near("bytes", about.Bytes, exact.Bytes)
	if about.Exact || about.Jobs != 3 {
		t.Errorf("about %+v", about)
	}
	job.Limit = 1234
	limited, err := pipeline.Foresee(t.Context(), job, pipeline.Options{}, false, t.TempDir())
	if err != nil || limited.Read != 1234 || !limited.Exact || limited.Rows+limited.Filtered+limited.Rejected != 1234 {
		t.Errorf("limited %+v %v", limited, err)
	}
}
