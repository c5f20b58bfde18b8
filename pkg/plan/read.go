package plan

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"migrate/pkg/bulk2"
	"migrate/pkg/transform"
)

// largest is the size in bytes of the largest plan file: some ten thousand mapped fields.
const largest = 1 << 20

// Read reads a plan file. It is strict: what it does not know, or what is there twice, is an error. The error is an *Error
// with everything that is wrong with the form of the plan, or an error of the file system.
func Read(path string) (*Plan, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read plan: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, largest+1))
	if err != nil {
		return nil, fmt.Errorf("read plan: %w", err)
	}
	return read(path, string(text), os.LookupEnv)
}

func read(path, text string, lookup func(string) (string, bool)) (*Plan, error) {
	r := &reader{path: path, lookup: lookup}
	p := &Plan{Path: path}
	text = strings.TrimPrefix(text, "\ufeff")
	if len(text) > largest {
		r.report(nil, "the file is larger than %d bytes; is it a plan?", largest)
	} else if i := invalid(text); i >= 0 {
		r.report(&token.Position{Line: 1 + strings.Count(text[:i], "\n")}, "this is not UTF-8; save the plan as UTF-8")
	} else if root := r.parse(text); root != nil {
		r.plan(root, p)
	}
	if err := errorOf(r.findings); err != nil {
		return nil, err
	}
	return p, nil
}

// invalid returns where the text is not UTF-8, -1 when it is.
func invalid(text string) int {
	if utf8.ValidString(text) {
		return -1
	}
	for i, c := range text {
		if c == utf8.RuneError {
			if _, n := utf8.DecodeRuneInString(text[i:]); n == 1 {
				return i
			}
		}
	}
	return -1
}

func (r *reader) plan(n ast.Node, p *Plan) {
	var dsns map[string]string
	seen := r.fixed("the plan", n, keys{
		now: map[string]func(entry){
			"version": func(e entry) { p.Version = r.version(e.value) },
			"org":     func(e entry) { p.Org = r.word("org", e.value) },
			"jobs":    func(e entry) { p.Jobs, p.Exports = r.jobs(e.value) },
			"sources": func(e entry) { dsns = r.databasesOf(e.value) },
		},
	})
	r.connect(dsns)
	if seen != nil && !seen["version"] {
		r.report(position(n), `version is missing; begin the plan with "version: %d"`, Version)
	}
	if seen != nil && !seen["jobs"] {
		r.report(position(n), "jobs are missing; write each below \"jobs:\" with its name")
	}
}

func (r *reader) version(n ast.Node) int {
	before := len(r.findings)
	v := r.count("version", n)
	if v != Version && len(r.findings) == before {
		r.report(position(n), "version is %d; this program reads version %d", v, Version)
	}
	return v
}

// jobName is what can be the name of a folder everywhere, since the reports of a job lie in one. Without dots it meets no
// file of the run folder, and taken lists the other names there.
var (
	jobName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_-]{0,63}$`)
	taken   = []string{"org", "spool", "lock"}
)

func (r *reader) jobs(n ast.Node) (jobs []Job, exports []Export) {
	list, ok := r.entries("jobs", n)
	if ok && len(list) == 0 {
		r.report(position(n), "jobs is empty; write each below \"jobs:\" with its name")
	}
	var names []entry
	for _, e := range list {
		r.job = e.key
		if !jobName.MatchString(e.key) || slices.Contains(taken, strings.ToLower(e.key)) {
			r.report(e.at, "the name of a job is up to 64 letters, digits, _ and -, but not org, spool or lock, since its reports lie in a folder of that name")
		}
		if i := slices.IndexFunc(names, func(j entry) bool { return strings.EqualFold(j.key, e.key) }); i >= 0 {
			r.report(e.at, "the name differs from that of job %s in line %d by its case only; give one of them another", names[i].key, names[i].at.Line)
		}
		names = append(names, e)
		if isExport(e.value) {
			exports = append(exports, r.export(e))
		} else {
			jobs = append(jobs, r.load(e))
		}
		r.job = ""
	}
	return r.resolve(jobs), exports
}

func (r *reader) load(e entry) Job {
	j := Job{Name: e.key, Path: r.path, Line: e.at.Line}
	seen := r.fixed("a job", e.value, keys{
		now: map[string]func(entry){
			"load":            func(e entry) { j.Object = r.word("load", e.value) },
			"operation":       func(e entry) { j.Operation = r.operation(e.value) },
			"key":             func(e entry) { j.Key = r.word("key", e.value) },
			"source":          func(e entry) { j.Source = r.source(e.value) },
			"fields":          func(e entry) { j.Fields = r.fields(e.value) },
			"nulls":           func(e entry) { j.Nulls = r.nulls(e.value) },
			"id":              func(e entry) { j.ID = r.word("id", e.value) },
			"group_by_parent": func(e entry) { j.GroupByParent = r.word("group_by_parent", e.value) },
			"unique":          func(e entry) { j.Unique = r.oneOrMore("unique", e.value) },
			"where":           func(e entry) { j.Where = r.word("where", e.value) },
			"timezone":        func(e entry) { j.Timezone = r.word("timezone", e.value) },
		},
	})
	if seen == nil {
		return j
	}
	for _, k := range []struct{ key, hint string }{
		{"load", "the object to load into, such as Account"},
		{"operation", oneOf(bulk2.Operations)},
		{"source", "where the rows come from, such as { csv: accounts.csv }"},
		{"fields", "which column goes to which field, such as \"Name: company\""},
	} {
		if !seen[k.key] {
			r.report(e.at, "%s is missing: %s", k.key, k.hint)
		}
	}
	return j
}

func (r *reader) operation(n ast.Node) bulk2.Operation {
	s := r.word("operation", n)
	if op := bulk2.Operation(s); s == "" || slices.Contains(bulk2.Operations, op) {
		return op
	}
	var names []string
	for _, op := range bulk2.Operations {
		names = append(names, string(op))
	}
	r.report(position(n), "unknown operation %s: %s%s", quote(s), oneOf(bulk2.Operations), didYouMean(s, names))
	return ""
}

var allNulls = []transform.Nulls{transform.NullsKeep, transform.NullsClear, transform.NullsError}

func (r *reader) nulls(n ast.Node) transform.Nulls {
	s := r.word("nulls", n)
	if p := transform.Nulls(s); s == "" || slices.Contains(allNulls, p) {
		return p
	}
	r.report(position(n), "unknown policy for empty values %s: %s", quote(s), oneOf(allNulls))
	return ""
}

// oneOf lists what is possible: "a, b or c".
func oneOf[T ~string](all []T) string {
	s := ""
	for i, v := range all {
		switch {
		case i == 0:
		case i == len(all)-1:
			s += " or "
		default:
			s += ", "
		}
		s += string(v)
	}
	return s
}
