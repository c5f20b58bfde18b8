package plan

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"migrate/pkg/bulk2"
	"migrate/pkg/transform"
)

// query is a job that reads a query.
func query(name, source string) string {
	return "  " + name + ":\n    load: Account\n    operation: insert\n    source: { " + source + " }\n    fields: { Name: n }\n"
}

// environment is what the tests see of it.
func environment(name string) (string, bool) {
	v, ok := map[string]string{"DATA": "/data", "DAY": "2026-01-31", "EMPTY": ""}[name]
	return v, ok
}

func ptr(s string) *string { return &s }

func TestRead(t *testing.T) {
	t.Parallel()
	const text = "\ufeffversion: 1\r\n" + `org: prod
jobs:
  b:
    load: Account
    operation: upsert
    key: Legacy_Id__c
    nulls: clear
    source:
      csv:
        - ${DATA}/a.csv
        - in/${DAY}/b$.csv
      delimiter: ";"
      quote: "'"
      escape: \
      encoding: latin-1
      skip_lines: 2
      header_lines: 3
    fields:
      Legacy_Id__c: 2024
      Owner.Email: { from: "e mail", nulls: error }
      Contact:Who.Legacy_Id__c: no
      Zip: { const: 0042 }
      Note: { const: "" }
      Text:
        const: |
          two
          lines
  a:
    load: Account
    operation: delete
    source: { csv: ../x.csv, no_header: true }
    fields: { Id: column1 }
`
	got, err := read("plans/migrate.yaml", text, environment)
	if err != nil {
		t.Fatal(err)
	}
	const path = "plans/migrate.yaml"
	want := &Plan{Version: 1, Org: "prod", Path: path, Jobs: []Job{
		{
			Name: "b", Object: "Account", Operation: bulk2.Upsert, Key: "Legacy_Id__c", Nulls: transform.NullsClear, Path: path, Line: 4,
			Source: Source{Paths: []string{"/data/a.csv", filepath.Join("plans", "in", "2026-01-31", "b$.csv")}, CSV: CSV{Delimiter: ";", Quote: "'", Escape: `\`,
				Encoding: "latin-1", SkipLines: 2, HeaderLines: 3}},
			Fields: []Field{
				{To: "Legacy_Id__c", From: "2024", Line: 20},
				{To: "Owner.Email", From: "e mail", Nulls: transform.NullsError, Line: 21},
				{To: "Contact:Who.Legacy_Id__c", From: "no", Line: 22},
				{To: "Zip", Const: ptr("0042"), Line: 23},
				{To: "Note", Const: ptr(""), Line: 24},
				{To: "Text", Const: ptr("two\nlines\n"), Line: 25},
			},
		},
		{
			Name: "a", Object: "Account", Operation: bulk2.Delete, Path: path, Line: 29,
			Source: Source{Paths: []string{"x.csv"}, CSV: CSV{NoHeader: true}},
			Fields: []Field{{To: "Id", From: "column1", Line: 33}},
		},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("plan, want -, got +:\n%s", diff)
	}
	again := &Plan{}
	stored, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(stored, again); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got, again); diff != "" {
		t.Errorf("plan read back from JSON, want -, got +:\n%s", diff)
	}
}

// job puts lines of a job, from line 4 on, into a plan that is otherwise right.
func job(without string, lines ...string) string {
	text := "version: 1\njobs:\n  a:\n"
	for _, l := range lines {
		text += "    " + l + "\n"
	}
	for _, l := range []string{"load: Account", "operation: insert", "source: { csv: a.csv }", "fields: { Name: company }"} {
		if key, _, _ := strings.Cut(l, ":"); !strings.Contains(" "+without+" ", " "+key+" ") {
			text += "    " + l + "\n"
		}
	}
	return text
}

func TestReadFindings(t *testing.T) {
	t.Parallel()
	const good = "\njobs: { a: { load: Account, operation: insert, source: { csv: a.csv }, fields: { Name: company } } }\n"
	const jobKeys = "fields, group_by_parent, id, key, load, nulls, operation, source, timezone, unique, where"
	const exportKeys = "all_rows, deletes, drift, export, fields, files, refresh, slice_rows, to, watermark, where"
	export := func(lines ...string) string {
		return "version: 1\njobs:\n  a:\n    export: Account\n    " + strings.Join(lines, "\n    ") + "\n"
	}
	const _ = "ambiguous, blank, boolean, case, const, default, expr, format, from, hash, ignore_case, into, list, map, mask, missing, nulls, number, ref, replace, second_pass, shift, split, timezone, trim, truncate, with"
	tests := []struct {
		name, text string
		want       []string
	}{
		{"empty", "", []string{`p.yaml: the plan is empty; it begins with "version: 1"`}},
		{"only a comment", "# later\n", []string{`p.yaml: the plan is empty; it begins with "version: 1"`}},
		{"not a mapping", "- a\n", []string{`p.yaml:1:1: the plan is a list; it must be a mapping of keys to values`}},
		{"a table", "id,name\n" + strings.Repeat("1,x\n", 100),
			[]string{`p.yaml:1:1: the plan is "id,name 1,x 1,x 1,x 1,x 1,x 1,x 1,x 1,x 1,x 1,x 1,x 1,x 1,x "…; it must be a mapping of keys to values`}},
		{"syntax", "version: 1\njobs: [\n", []string{`p.yaml:2:7: this is not YAML: sequence end token ']' not found`}},
		{"reserved character", "version: 1\norg: @x\n", []string{`p.yaml:2:6: this is not YAML: '@' is a reserved character`}},
		{"not UTF-8", "version: 1\n# \xfc\n", []string{`p.yaml:2: this is not UTF-8; save the plan as UTF-8`}},
		{"too large", strings.Repeat("#\n", 1<<20), []string{`p.yaml: the file is larger than 1048576 bytes; is it a plan?`}},
		{"too deep", strings.Repeat("[", 1000), []string{`p.yaml:1:33: lists and mappings lie more than 32 deep in one another; a plan needs four`}},
		{"too deep in blocks", strings.Repeat("- ", 1000), []string{`p.yaml:1:65: lists and mappings lie more than 32 deep in one another; a plan needs four`}},
		{"second document", "version: 1" + good + "---\nversion: 1\n",
			[]string{`p.yaml:4:1: a second document begins here; a plan is one document, so take out the ---`}},
		{"nothing needed is there", "org: prod\n",
			[]string{`p.yaml:1:1: version is missing; begin the plan with "version: 1"`, `p.yaml:1:1: jobs are missing; write each below "jobs:" with its name`}},
		{"other version", "version: 2" + good, []string{`p.yaml:1:10: version is 2; this program reads version 1`}},
		{"version of another kind", "version: one" + good, []string{`p.yaml:1:10: version is "one"; it must be a whole number, 0 or more`}},
		{"unknown key", "version: 1\nverbose: true" + good, []string{`p.yaml:2:1: unknown key "verbose" in the plan; there can be jobs, org, sources, version`}},
		{"misspelt key counts as there", "verison: 1" + good, []string{`p.yaml:1:1: unknown key "verison" in the plan; did you mean version?`}},
		{"key twice", "version: 1\norg: a\norg: b" + good, []string{`p.yaml:3:1: "org" stands twice, first in line 2; take one out`}},
		{"no jobs", "version: 1\njobs: {}\n", []string{`p.yaml:2:7: jobs is empty; write each below "jobs:" with its name`}},
		{"jobs null", "version: 1\njobs:\n", []string{`p.yaml:2:7: jobs is empty; it must be a mapping of keys to values`}},
		{"job without anything", "version: 1\njobs:\n  a: {}\n", []string{
			`p.yaml:3:3: job a: load is missing: the object to load into, such as Account`,
			`p.yaml:3:3: job a: operation is missing: insert, update, upsert, delete or hardDelete`,
			`p.yaml:3:3: job a: source is missing: where the rows come from, such as { csv: accounts.csv }`,
			`p.yaml:3:3: job a: fields is missing: which column goes to which field, such as "Name: company"`,
		}},
		{"name of a job", strings.ReplaceAll(job(""), "  a:", "  ../a:"),
			[]string{`p.yaml:3:3: job ../a: the name of a job is up to 64 letters, digits, _ and -, but not org, spool or lock, since its reports lie in a folder of that name`}},
		{"name of a job that the run folder has", strings.ReplaceAll(job(""), "  a:", "  Org:"),
			[]string{`p.yaml:3:3: job Org: the name of a job is up to 64 letters, digits, _ and -, but not org, spool or lock, since its reports lie in a folder of that name`}},
		{"name of a job with a dot", strings.ReplaceAll(job(""), "  a:", "  failed.csv:"),
			[]string{`p.yaml:3:3: job failed.csv: the name of a job is up to 64 letters, digits, _ and -, but not org, spool or lock, since its reports lie in a folder of that name`}},
		{"names that differ in case", job("") + strings.ReplaceAll(job(""), "version: 1\njobs:\n  a:", "  A:"),
			[]string{`p.yaml:8:3: job A: the name differs from that of job a in line 3 by its case only; give one of them another`}},
		{"misspelt key of a job", job("load", "laod: Account"), []string{`p.yaml:4:5: job a: unknown key "laod" in a job; did you mean load?`}},
		{"keys of an export in a load", job("", "watermark: x"), []string{
			`p.yaml:4:5: job a: unknown key "watermark" in a job; there can be ` + jobKeys,
		}},
		{"an export without a place", export(""), []string{`p.yaml:3:3: job a: to is missing: where the records go, such as { parquet: "lake/account/" }`}},
		{"keys of a load in an export", export("to: a.csv", "operation: insert"), []string{`p.yaml:6:5: job a: unknown key "operation" in an export; there can be ` + exportKeys}},
		{"keys that need a watermark", export("to: a.csv", "deletes: true", "refresh: 7d", "drift: add"), []string{
			`p.yaml:3:3: job a: deletes is of exports with a watermark; all others bring all rows each time`,
			`p.yaml:3:3: job a: refresh is of exports with a watermark; all others bring all rows each time`,
			`p.yaml:3:3: job a: drift is of exports with a watermark; all others bring all rows each time`,
		}},
		{"values of exports", export("to: a.csv", "watermark: { overlap: 7 days, feild: X }", "refresh: -1h", "drift: go", "deletes: { compare: 1w }"), []string{
			`p.yaml:6:27: job a: overlap is "7 days"; a span of time is written 15m, 36h or 7d`,
			`p.yaml:6:35: job a: unknown key "feild" in a watermark; did you mean field?`,
			`p.yaml:7:14: job a: refresh is "-1h"; a span of time is written 15m, 36h or 7d`,
			`p.yaml:8:12: job a: unknown drift "go": refresh, add or fail`,
			`p.yaml:9:25: job a: compare is "1w"; a span of time is written 15m, 36h or 7d`,
		}},
		{"targets", "version: 1\njobs:\n  a: { export: A, to: { csv: x.csv, parquet: x/ } }\n  b: { export: A, to: { parquet: x/, compression: lz4 } }\n  c: { export: A, to: { parquet: x/, table: t } }\n" +
			"  d: { export: A, to: 's3://lake/x/' }\n  e: { export: A, to: { postgres: 'postgres://me:pw@host/db' } }\n  f: { export: A, to: '${NONE}' }\n", []string{
			`p.yaml:3:23: job a: a target is one file, folder or database, such as { parquet: "lake/account/" } or { postgres: "${DWH_DSN}" }`,
			`p.yaml:4:23: job b: unknown compression "lz4": none, gzip or zstd, and snappy for Parquet`,
			`p.yaml:5:23: job c: to: table, merge and added columns are for databases`,
			`p.yaml:6:23: job d: to: s3:// is not supported by this version; name a file or a folder`,
			`p.yaml:7:35: job e: postgres: a password does not stand in a plan; write ${NAME} for it, or for the whole address`,
			`p.yaml:8:23: job f: to: the environment variable NONE is not set`,
		}},
		{"operation", job("operation", "operation: upsrt"),
			[]string{`p.yaml:4:16: job a: unknown operation "upsrt": insert, update, upsert, delete or hardDelete; did you mean upsert?`}},
		{"operation that resembles none", job("operation", "operation: purge"),
			[]string{`p.yaml:4:16: job a: unknown operation "purge": insert, update, upsert, delete or hardDelete`}},
		{"operation in another case", job("operation", "operation: harddelete"),
			[]string{`p.yaml:4:16: job a: unknown operation "harddelete": insert, update, upsert, delete or hardDelete; did you mean hardDelete?`}},
		{"values of another kind", job("load operation", "load: [Account]", "operation:", "key: 7", `nulls: ""`), []string{
			`p.yaml:4:11: job a: load is a list; it must be a text`,
			`p.yaml:5:15: job a: operation is empty; it must be a text`,
			`p.yaml:6:10: job a: key is "7"; it must be a text`,
			`p.yaml:7:12: job a: nulls is empty`,
		}},
		{"policy", job("", "nulls: skip"), []string{`p.yaml:4:12: job a: unknown policy for empty values "skip": keep, clear or error`}},
		{"source is a text", job("source", "source: a.csv"), []string{`p.yaml:4:13: job a: source is "a.csv"; a file is written { csv: FILE }`}},
		{"source without a file", job("source", `source: { delimiter: ";" }`),
			[]string{`p.yaml:4:13: job a: csv is missing: the file, or a list of files, such as { csv: accounts.csv }`}},
		{"databases", "version: 1\nsources:\n  a: { postgres: 'postgres://me:pw@host/db' }\n  b: { postgres: '${NONE}', sqlite: x }\n  c: { mongo: x }\n  d: { sqlite: x.db }" + good, []string{
			`p.yaml:3:18: postgres: a password does not stand in a plan; write ${NAME} for it, or for the whole address`,
			`p.yaml:4:3: b has one address, such as { postgres: "${B_DSN}" }`,
			`p.yaml:4:18: postgres: the environment variable NONE is not set`,
			`p.yaml:5:8: unknown key "mongo" in a database; there can be mariadb, mysql, oracle, postgres, sqlite, sqlserver`,
		}},
		{"queries", "version: 1\nsources: { crm: { sqlite: x.db } }\njobs:\n" + query("a", "from: cmr, query: select 1") + query("b", "from: crm") + query("c", "from: crm, query: select 1, table: t") + query("d", "query: select 1") + query("e", "from: crm, table: t, csv: a.csv"), []string{
			`p.yaml:7:13: job a: from: the plan has no database "cmr"; did you mean crm?; write it below "sources:"`,
			`p.yaml:12:13: job b: either query or table says what is read`,
			`p.yaml:17:13: job c: either query or table says what is read`,
			`p.yaml:22:13: job d: from is missing: the database, which stands below "sources:"`,
			`p.yaml:27:13: job e: csv has no meaning beside from; take it out`,
		}},
		{"ranges", "version: 1\nsources: { crm: { sqlite: x.db } }\njobs:\n" + query("a", "from: crm, table: t, split_by: ''") + query("b", "from: crm, table: t, splits: 8") + query("c", "from: crm, table: t, split_by: id, splits: 257") + query("d", "from: crm, table: t, split_by: id, splits: many") + query("e", "csv: a.csv, split_by: id"), []string{
			`p.yaml:7:46: job a: split_by is empty`,
			`p.yaml:12:13: job b: splits is how many ranges split_by makes; name the column, too`,
			`p.yaml:17:58: job c: splits is 257; a number from 1 to 256`,
			`p.yaml:22:58: job d: splits is "many"; it must be a whole number, 0 or more`,
			`p.yaml:27:13: job e: from is missing: the database, which stands below "sources:"`,
			`p.yaml:27:13: job e: csv has no meaning beside from; take it out`,
		}},
		{"misspelt key of a source", job("source", "source: { csv: a.csv, delimeter: x }"),
			[]string{`p.yaml:4:27: job a: unknown key "delimeter" in a source; did you mean delimiter?`}},
		{"settings of a source", job("source", "source: { csv: a.csv, skip_lines: -1, no_header: 1, quote: [], delimiter: '' }"), []string{
			`p.yaml:4:39: job a: skip_lines is "-1"; it must be a whole number, 0 or more`,
			`p.yaml:4:54: job a: no_header is "1"; it must be true or false`,
			`p.yaml:4:64: job a: quote is a list; it must be a single value`,
			`p.yaml:4:79: job a: delimiter is empty; take it out, and it is found out from the file`,
		}},
		{"header lines zero", job("source", "source: { csv: a.csv, header_lines: 0 }"),
			[]string{`p.yaml:4:27: job a: a file without a header is written "no_header: true", without header_lines`}},
		{"header lines without a header", job("source", "source: { csv: a.csv, no_header: true, header_lines: 1 }"),
			[]string{`p.yaml:4:44: job a: a file without a header is written "no_header: true", without header_lines`}},
		{"paths", job("source", `source: { csv: ["${NOPE}/a", "${EMPTY}", "${DATA", "${1}", "s3://b/a", "", {}] }`), []string{
			`p.yaml:4:21: job a: csv: the environment variable NOPE is not set`,
			`p.yaml:4:34: job a: csv: the environment variable EMPTY is not set`,
			`p.yaml:4:46: job a: csv: ${DATA is not closed; write ${NAME}`,
			`p.yaml:4:56: job a: csv: ${1} is not an environment variable; write ${NAME}`,
			`p.yaml:4:64: job a: csv: s3:// is not supported by this version; name a file`,
			`p.yaml:4:76: job a: csv: the path is empty`,
			`p.yaml:4:80: job a: csv is a mapping; it must be a single value`,
		}},
		{"no path", job("source", "source: { csv: [] }"), []string{`p.yaml:4:20: job a: csv is an empty list; name a file`}},
		{"no fields", job("fields", "fields: {}"),
			[]string{`p.yaml:4:13: job a: fields is empty; write which column goes to which field, such as "Name: company"`}},
		{"fields of another kind", job("fields", "fields: all"), []string{`p.yaml:4:13: job a: fields is "all"; it must be a mapping of keys to values`}},
		{"fields", job("fields", "fields:", "  Name: a", "  Name: b", "  A:", "  B: [x]", "  C: {}", "  D: { from: a, const: b }",
			"  E: { const: a, nulls: keep }", "  F: { form: a }", "  G: { const: {} }", "  H: { from: a, nulls: zap }", `  "": a`), []string{
			`p.yaml:6:7: job a: "Name" stands twice, first in line 5; take one out`,
			`p.yaml:7:9: job a: field A: the source column is empty; it must be a single value`,
			`p.yaml:8:10: job a: field B: the source column is a list; it must be a single value`,
			`p.yaml:9:7: job a: field C: from, const or expr is missing: { from: COLUMN } or { const: VALUE }`,
			`p.yaml:10:7: job a: field D: from, const and expr exclude one another; take all but one out`,
			`p.yaml:11:7: job a: field E: nulls has no meaning beside const; take it out`,
			`p.yaml:12:12: job a: field F: unknown key "form" in a field; did you mean from?`,
			`p.yaml:13:19: job a: field G: const is a mapping; it must be a single value`,
			`p.yaml:14:28: job a: field H: unknown policy for empty values "zap": keep, clear or error`,
			`p.yaml:15:7: job a: the name of a field is empty`,
		}},
		{"steps", job("fields", "fields:", "  A: { from: [] }", "  B: { from: x, replace: { with: y } }", "  C: { from: x, split: { by: ',', part: first } }", "  D: { from: x, missing: skip, map: {} }",
			"  E: { from: x, map: nowhere.csv }", "  F: { from: x, hash: { key: secret } }", "  G: { from: x, nulls: keep, blank: clear }", "  H: { from: x, with: ' ' }", "  I: { const: x, trim: true }", "  J: { from: x, truncate: -1 }",
			"  K: { from: x, number: 5 }", "  L: { from: x, boolean: { yes: [a] } }"), []string{
			`p.yaml:5:18: job a: field A: from is an empty list`,
			`p.yaml:6:30: job a: field B: find is missing: the regular expression, as in { find: "[^0-9]", with: "" }`,
			`p.yaml:7:45: job a: field C: part is "first"; it must be a whole number, from 1, or from -1 for the last`,
			`p.yaml:8:30: job a: field D: unknown way for values that the map does not have "skip": error (or reject), keep or empty (or null)`,
			`p.yaml:8:41: job a: field D: map is empty; write { OLD: NEW } or the name of a CSV file of two columns`,
			`p.yaml:9:26: job a: field E: map: open nowhere.csv: no such file or directory`,
			`p.yaml:10:27: job a: field F: key_env is missing: the environment variable that holds the key; a key does not stand in a plan`,
			`p.yaml:10:29: job a: field F: unknown key "key" in hash; there can be key_env, length`,
			`p.yaml:11:7: job a: field G: nulls and blank say the same; take one out`,
			`p.yaml:12:7: job a: field H: with stands between several columns, as in from: [first, last]`,
			`p.yaml:13:7: job a: field I: trim has no meaning beside const; take it out`,
			`p.yaml:14:31: job a: field J: truncate is "-1"; it must be a whole number, 0 or more`,
			`p.yaml:15:29: job a: field K: number is "5"; it must be a mapping of keys to values`,
			`p.yaml:16:32: job a: field L: unknown key "yes" in boolean; there can be false, true`,
		}},
		{"anchors, aliases, tags, merges", job("fields", "fields:", "  A: &x a", "  B: *x", "  C: !!str 3", "  <<: { D: d }", "  ? E", "  : e"), []string{
			`p.yaml:5:10: job a: field A: the source column: anchors, aliases and tags are not read; write the value itself`,
			`p.yaml:6:10: job a: field B: the source column: anchors, aliases and tags are not read; write the value itself`,
			`p.yaml:7:10: job a: field C: the source column: anchors, aliases and tags are not read; write the value itself`,
			`p.yaml:8:7: job a: fields: a key is a plain word; merge keys, anchors and keys with ? are not read`,
			`p.yaml:9:7: job a: fields: a key is a plain word; merge keys, anchors and keys with ? are not read`,
		}},
		{"all at once", "version: 3\njobs:\n  a:\n    load: Account\n    operation: ad\n  b:\n    laod: x\n", []string{
			`p.yaml:1:10: version is 3; this program reads version 1`,
			`p.yaml:3:3: job a: source is missing: where the rows come from, such as { csv: accounts.csv }`,
			`p.yaml:3:3: job a: fields is missing: which column goes to which field, such as "Name: company"`,
			`p.yaml:5:16: job a: unknown operation "ad": insert, update, upsert, delete or hardDelete`,
			`p.yaml:6:3: job b: operation is missing: insert, update, upsert, delete or hardDelete`,
			`p.yaml:6:3: job b: source is missing: where the rows come from, such as { csv: accounts.csv }`,
			`p.yaml:6:3: job b: fields is missing: which column goes to which field, such as "Name: company"`,
			`p.yaml:7:5: job b: unknown key "laod" in a job; did you mean load?`,
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p, err := read("p.yaml", tt.text, environment)
			var found *Error
			if !errors.As(err, &found) || p != nil {
				t.Fatalf("plan %v, error %v; want no plan and an *Error", p, err)
			}
			if diff := cmp.Diff(tt.want, strings.Split(err.Error(), "\n")); diff != "" {
				t.Errorf("findings, want -, got +:\n%s", diff)
			}
		})
	}
}

func TestReadFile(t *testing.T) {
	t.Parallel()
	if _, err := Read(filepath.Join(t.TempDir(), "none.yaml")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v, want one that wraps os.ErrNotExist", err)
	}
	if _, err := Read(t.TempDir()); err == nil {
		t.Error("a folder was read as a plan")
	}
}

func FuzzRead(f *testing.F) {
	for _, path := range []string{"../../testdata/crm/migrate.yaml", "../../testdata/crm-broken/migrate.yaml"} {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add(job("source", "source: { csv: [a.csv, '${DATA}/b'], delimiter: tab, skip_lines: 1, no_header: true }"))
	f.Add(job("fields", "fields:")) // all are commented out, which Compile refuses
	f.Add(job("fields", "fields: { A: { const: ~ }, B: &x [*x], <<: {? y : !t z}, C: |\n  x", "}"))
	f.Fuzz(func(t *testing.T, text string) {
		p, err := read("p.yaml", text, environment)
		var found *Error
		switch {
		case err == nil:
		case p != nil || !errors.As(err, &found) || len(found.Findings) == 0:
			t.Fatalf("plan %v, error %v; want a plan, or an *Error with findings", p, err)
		default:
			if got, want := strings.Count(err.Error(), "\n")+1, len(found.Findings); got != want {
				t.Errorf("%d lines for %d findings:\n%v", got, want, err)
			}
			return
		}
		if p.Version != Version || len(p.Jobs) == 0 {
			t.Errorf("plan %+v was taken", p)
		}
		for _, j := range p.Jobs {
			if !jobName.MatchString(j.Name) || j.Object == "" || j.Operation == "" || len(j.Source.Paths) == 0 {
				t.Errorf("job %+v was taken", j)
			}
		}
		stored, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		again := &Plan{}
		if err := json.Unmarshal(stored, again); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(p, again); diff != "" {
			t.Errorf("read back from JSON, want -, got +:\n%s", diff)
		}
	})
}
