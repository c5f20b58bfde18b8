package migrate

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

// A rule says what one package may import. Test files are exempt: they may import anything.
type rule struct {
	may    []string          // packages of this module
	reason string            // why nothing else of this module
	never  map[string]string // packages of others, or path prefixes of them, each with the reason
}

const (
	anything = "*"

	modulePath = "migrate"
	arrowPath  = "github.com/apache/arrow-go"
)

// The one-way graph:
//
//	cmd/migrate ─▶ pkg/pipeline ─▶ pkg/sources · pkg/transform · pkg/sinks · pkg/checkpoint · pkg/bulk2 ─▶ pkg/salesforce
//	     └──────▶ pkg/plan · internal/localorg · internal/datagen
var graph = map[string]rule{
	".": {reason: "the root holds the reading order and no code"},
	"cmd/migrate": {
		may: []string{"pkg/plan", "pkg/pipeline", "pkg/retry", "pkg/export", "pkg/cell", "pkg/sources", "pkg/transform", "pkg/idmap", "pkg/sinks", "pkg/dsn", "pkg/checkpoint", "pkg/restquery", "pkg/bulk2", "pkg/salesforce",
			"internal/localorg", "internal/datagen"},
		reason: "the command wires the parts of the product; test suites are not among them",
	},
	"pkg/plan": {
		may:    []string{"pkg/pipeline", "pkg/sources", "pkg/transform", "pkg/sinks", "pkg/dsn", "pkg/bulk2", "pkg/salesforce"},
		reason: "a plan is compiled to a pipeline.Config; it does not run",
		never:  map[string]string{"net/http": "a plan is checked against a describe that it is given; it does not talk to the org"},
	},
	"pkg/retry": {
		may:    []string{"pkg/pipeline", "pkg/sources", "pkg/checkpoint", "pkg/bulk2"},
		reason: "which rows are sent again is told by files alone; it asks no org and makes no run",
		never:  map[string]string{"net/http": "it asks no org", "database/sql": "its index is a file of its own"},
	},
	"pkg/export": {
		may:    []string{"pkg/pipeline", "pkg/sinks", "pkg/checkpoint", "pkg/salesforce"},
		reason: "what becomes of the rows of an export is told by files alone; of the org it knows the errors of fetching a content, and no plan",
		never:  map[string]string{"net/http": "HTTP belongs to pkg/salesforce", "database/sql": "SQL belongs to pkg/sinks"},
	},
	"pkg/pipeline": {
		may:    []string{"pkg/cell", "pkg/sources", "pkg/transform", "pkg/idmap", "pkg/sinks", "pkg/checkpoint", "pkg/bulk2", "pkg/salesforce"},
		reason: "the pipeline knows the parts that move rows; commands, plans and the local org know the pipeline",
		never: map[string]string{
			"net/http":     "HTTP belongs to pkg/salesforce",
			"database/sql": "SQL belongs to pkg/checkpoint, pkg/sources and pkg/sinks",
		},
	},
	"internal/testdb": {reason: "it starts databases for tests and knows nothing of what is tested"},
	"conformance":     {reason: "real clients judge the org; what is ours they reach over the wire"},
	"pkg/idmap":       {reason: "the id map keeps pairs; who makes and who reads them is not its affair"},
	"pkg/cell":        {reason: "a value is shown without knowing where it came from"},
	"pkg/sources":     {may: []string{"pkg/cell", "pkg/dsn"}, reason: "a source is read without knowing where its rows go"},
	"pkg/sources/sourcetest": {
		may:    []string{"pkg/sources", "pkg/cell"},
		reason: "the suite judges any source by its interface alone",
	},
	"pkg/transform": {
		may:    []string{"pkg/cell"},
		reason: "a transform turns one record batch into another; only the pipeline knows both ends",
		never: map[string]string{
			"net":          "a transform does no I/O",
			"net/http":     "a transform does no I/O",
			"database/sql": "a transform does no I/O",
		},
	},
	"pkg/dsn":        {reason: "the address of a database says nothing of what is read or written there"},
	"pkg/sinks":      {may: []string{"pkg/dsn"}, reason: "a sink is written without knowing where its rows come from"},
	"pkg/checkpoint": {reason: "the checkpoint keeps what it is told; what follows from it is decided elsewhere", never: map[string]string{"net/http": "the checkpoint does not ask the org"}},
	"pkg/bulk2": {
		may:    []string{"pkg/salesforce"},
		reason: "the wire protocol stands on one org's connection and nothing else",
		never:  map[string]string{arrowPath: "the wire protocol appends plain bytes; the pipeline picks an encoder per column"},
	},
	"pkg/restquery": {
		may:    []string{"pkg/bulk2", "pkg/salesforce"},
		reason: "it answers as query jobs do, so it knows their types; who asks is not its affair",
		never:  map[string]string{"net/http": "HTTP belongs to pkg/salesforce", arrowPath: "pages are CSV, as query jobs give them"},
	},
	"pkg/salesforce": {reason: "the connection to an org knows nothing of jobs and rows", never: map[string]string{arrowPath: "the connection to an org knows nothing of rows"}},
	"internal/localorg": {
		reason: "the local org shares no code with the client, so that a misreading of the API cannot cancel out",
		never:  map[string]string{arrowPath: "the local org reads CSV as the org does, from bytes"},
	},
	"internal/datagen": {reason: "made-up rows must not depend on the code that they test"},
	"benchmarks":       {may: []string{anything}},
	"benchmarks/limit": {reason: "the limit is measured without any code of what is measured"},
}

// TestArchitecture keeps the graph, and asks every package for a comment that teaches it. It opens the files itself:
// a test that asked `go list` would be answered from the test cache and miss a new import.
func TestArchitecture(t *testing.T) {
	t.Parallel()
	packages, faults := inspect(os.DirFS("."), graph)
	for _, f := range faults {
		t.Error(f)
	}
	for _, p := range []string{".", "internal/datagen"} {
		if !slices.Contains(packages, p) {
			t.Errorf("package %s was not found: the test does not see the module", p)
		}
	}
}

// inspect returns the packages found below fsys, and what is wrong with them, both sorted.
func inspect(fsys fs.FS, graph map[string]rule) (packages, faults []string) {
	taught := map[string]bool{}
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if base := d.Name(); d.IsDir() {
			if name != "." && (base == "testdata" || base == "vendor" || base[0] == '.' || base[0] == '_') {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		src, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, src, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			return err
		}
		dir := path.Dir(name)
		taught[dir] = taught[dir] || teaches(file)
		faults = append(faults, checkImports(name, file, graph)...)
		return nil
	})
	if err != nil {
		faults = append(faults, err.Error())
	}
	packages = slices.Sorted(maps.Keys(taught))
	for _, p := range packages {
		if !taught[p] {
			faults = append(faults, fmt.Sprintf("package %s has no package comment: begin its first file with \"Package %[2]s …\" (a command: \"Command %[2]s …\"), directly above the package clause", p, path.Base(p)))
		}
		if _, ok := graph[p]; !ok {
			faults = append(faults, fmt.Sprintf("package %s is not in the table of arch_test.go: add it there, with what it may import and why nothing else", p))
		}
	}
	slices.Sort(faults)
	return packages, faults
}

// teaches reports whether the file carries the package comment. godoc shows only one that touches the package clause.
func teaches(file *ast.File) bool {
	if file.Name.Name == "main" {
		return file.Doc != nil
	}
	return strings.HasPrefix(file.Doc.Text(), "Package "+file.Name.Name+" ")
}

func checkImports(name string, file *ast.File, graph map[string]rule) (faults []string) {
	r, ok := graph[path.Dir(name)]
	if !ok || slices.Contains(r.may, anything) {
		return nil
	}
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			faults = append(faults, fmt.Sprintf("%s: import %s: %v", name, spec.Path.Value, err))
			continue
		}
		if own, ok := within(imported, modulePath); ok {
			if !slices.Contains(r.may, own) {
				faults = append(faults, fmt.Sprintf("%s imports %s: %s", name, imported, r.reason))
			}
			continue
		}
		for prefix, reason := range r.never {
			if rest, ok := within(imported, prefix); ok && (rest == "." || strings.Contains(prefix, ".")) {
				faults = append(faults, fmt.Sprintf("%s imports %s: %s", name, imported, reason))
			}
		}
	}
	return faults
}

// within returns the path of a package relative to a parent, "." for the parent itself.
func within(pkg, parent string) (string, bool) {
	if pkg == parent {
		return ".", true
	}
	return strings.CutPrefix(pkg, parent+"/")
}

func TestInspect(t *testing.T) {
	t.Parallel()
	graph := map[string]rule{
		".":           {reason: "no code"},
		"cmd/migrate": {may: []string{"pkg/a"}, reason: "only a"},
		"pkg/a":       {reason: "a stands alone", never: map[string]string{"net": "no I/O", arrowPath: "plain bytes"}},
		"free":        {may: []string{anything}},
	}
	tests := []struct {
		name  string
		files map[string]string
		want  []string
	}{
		{"allowed", map[string]string{
			"doc.go":              "// Package migrate is the root.\npackage migrate",
			"cmd/migrate/main.go": "// Command migrate moves records.\npackage main\nimport _ \"migrate/pkg/a\"",
			"pkg/a/doc.go":        "// Package a is alone.\npackage a\nimport (\n_ \"fmt\"\n_ \"net/url\"\n_ \"migrates/pkg/b\"\n)",
			"pkg/a/more.go":       "package a",
			"free/free.go":        "// Package free is free.\npackage free\nimport _ \"migrate/cmd/migrate\"",
		}, nil},
		{"module import", map[string]string{"pkg/a/doc.go": "// Package a x.\npackage a\nimport _ \"migrate/pkg/b\""},
			[]string{"pkg/a/doc.go imports migrate/pkg/b: a stands alone"}},
		{"root import", map[string]string{"pkg/a/doc.go": "// Package a x.\npackage a\nimport _ \"migrate\""},
			[]string{"pkg/a/doc.go imports migrate: a stands alone"}},
		{"foreign import", map[string]string{"pkg/a/doc.go": "// Package a x.\npackage a\nimport _ \"net\"\nimport _ \"github.com/apache/arrow-go/v18/arrow\""},
			[]string{"pkg/a/doc.go imports github.com/apache/arrow-go/v18/arrow: plain bytes", "pkg/a/doc.go imports net: no I/O"}},
		{"test files and testdata are exempt", map[string]string{
			"pkg/a/doc.go":        "// Package a x.\npackage a",
			"pkg/a/a_test.go":     "package a\nimport _ \"migrate/pkg/b\"",
			"pkg/a/testdata/x.go": "package x",
			".hidden/x.go":        "package x",
		}, nil},
		{"comment missing", map[string]string{"pkg/a/doc.go": "package a"},
			[]string{`package pkg/a has no package comment: begin its first file with "Package a …" (a command: "Command a …"), directly above the package clause`}},
		{"comment apart from the clause", map[string]string{"pkg/a/doc.go": "// Package a x.\n\npackage a"},
			[]string{`package pkg/a has no package comment: begin its first file with "Package a …" (a command: "Command a …"), directly above the package clause`}},
		{"comment missing in main", map[string]string{"cmd/migrate/main.go": "package main"},
			[]string{`package cmd/migrate has no package comment: begin its first file with "Package migrate …" (a command: "Command migrate …"), directly above the package clause`}},
		{"not in the table", map[string]string{"pkg/b/doc.go": "// Package b x.\npackage b\nimport _ \"migrate/pkg/a\""},
			[]string{"package pkg/b is not in the table of arch_test.go: add it there, with what it may import and why nothing else"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			fsys := fstest.MapFS{}
			for name, src := range tt.files {
				fsys[name] = &fstest.MapFile{Data: []byte(src)}
			}
			if _, got := inspect(fsys, graph); !slices.Equal(got, tt.want) {
				t.Errorf("inspect:\n got %q\nwant %q", got, tt.want)
			}
		})
	}
}
