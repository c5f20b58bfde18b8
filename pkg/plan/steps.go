package plan

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"

	"migrate/pkg/transform"
)

// steps adds the keys that change a value.
func (r *reader) steps(f *Field, now map[string]func(entry)) {
	time := func() *transform.Time {
		if f.Time == nil {
			f.Time = &transform.Time{}
		}
		return f.Time
	}
	mapping := func() *transform.Map {
		if f.Map == nil {
			f.Map = &transform.Map{}
		}
		return f.Map
	}
	now["trim"] = func(e entry) { f.Trim = r.truth("trim", e.value) }
	now["case"] = func(e entry) { f.Case = transform.Case(r.word("case", e.value)) }
	now["replace"] = func(e entry) { f.Replace = r.replaces(e.value) }
	now["split"] = func(e entry) { f.Split = r.split(e.value) }
	now["number"] = func(e entry) { f.Number = r.number(e.value) }
	now["boolean"] = func(e entry) { f.Boolean = r.boolean(e.value) }
	now["format"] = func(e entry) { time().Formats = r.oneOrMore("format", e.value) }
	now["timezone"] = func(e entry) { time().Timezone = r.word("timezone", e.value) }
	now["into"] = func(e entry) { time().Into = r.word("into", e.value) }
	now["shift"] = func(e entry) { time().Shift = r.word("shift", e.value) }
	now["ambiguous"] = func(e entry) { time().Ambiguous = r.word("ambiguous", e.value) }
	now["list"] = func(e entry) {
		s, _ := r.text("list", e.value)
		f.List = &transform.List{Split: s}
	}
	now["map"] = func(e entry) { r.mapValues(mapping(), e.value) }
	now["missing"] = func(e entry) { mapping().Missing = r.missing(e.value) }
	now["ignore_case"] = func(e entry) { mapping().Fold = r.truth("ignore_case", e.value) }
	now["hash"] = func(e entry) { f.Hash = r.hash(e.value) }
	now["mask"] = func(e entry) { f.Mask = r.mask(e.value) }
	now["truncate"] = func(e entry) {
		if _, ok := e.value.(*ast.BoolNode); ok {
			f.TruncateToLength = r.truth("truncate", e.value)
			return
		}
		f.Truncate = r.count("truncate", e.value)
	}
	now["default"] = func(e entry) {
		if s, ok := r.text("default", e.value); ok {
			f.Default = &s
		}
	}
}

// words reads a list of texts.
func (r *reader) words(what string, n *ast.SequenceNode) []string {
	var list []string
	for _, v := range n.Values {
		if s, ok := r.text(what, v); ok {
			list = append(list, s)
		}
	}
	if len(list) == 0 {
		r.report(position(n), "%s is an empty list", what)
	}
	return list
}

// oneOrMore reads a text or a list of them.
func (r *reader) oneOrMore(what string, n ast.Node) []string {
	if list, ok := n.(*ast.SequenceNode); ok {
		return r.words(what, list)
	}
	if s, ok := r.text(what, n); ok {
		return []string{s}
	}
	return nil
}

func (r *reader) replaces(n ast.Node) []transform.Replace {
	values := []ast.Node{n}
	if list, ok := n.(*ast.SequenceNode); ok {
		values = list.Values
	}
	var out []transform.Replace
	for _, v := range values {
		var one transform.Replace
		seen := r.fixed("replace", v, keys{now: map[string]func(entry){
			"find": func(e entry) { one.Find, _ = r.text("find", e.value) },
			"with": func(e entry) { one.With, _ = r.text("with", e.value) },
		}})
		if seen != nil && !seen["find"] {
			r.report(position(v), `find is missing: the regular expression, as in { find: "[^0-9]", with: "" }`)
		}
		out = append(out, one)
	}
	return out
}

func (r *reader) split(n ast.Node) *transform.Split {
	out := &transform.Split{}
	r.fixed("split", n, keys{now: map[string]func(entry){
		"by": func(e entry) { out.By, _ = r.text("by", e.value) },
		"part": func(e entry) {
			if v, ok := e.value.(*ast.IntegerNode); ok {
				if _, err := fmt.Sscan(v.GetToken().Value, &out.Part); err == nil {
					return
				}
			}
			r.wrongKind("part", "a whole number, from 1, or from -1 for the last", e.value)
		},
	}})
	return out
}

func (r *reader) number(n ast.Node) *transform.Number {
	out := &transform.Number{}
	r.fixed("number", n, keys{now: map[string]func(entry){
		"decimal":   func(e entry) { out.Decimal, _ = r.text("decimal", e.value) },
		"thousands": func(e entry) { out.Thousands, _ = r.text("thousands", e.value) },
	}})
	return out
}

func (r *reader) boolean(n ast.Node) *transform.Boolean {
	out := &transform.Boolean{}
	r.fixed("boolean", n, keys{now: map[string]func(entry){
		"true":  func(e entry) { out.True = r.oneOrMore("true", e.value) },
		"false": func(e entry) { out.False = r.oneOrMore("false", e.value) },
	}})
	return out
}

func (r *reader) hash(n ast.Node) *transform.Hash {
	out := &transform.Hash{}
	seen := r.fixed("hash", n, keys{now: map[string]func(entry){
		"key_env": func(e entry) { out.KeyEnv = r.word("key_env", e.value) },
		"length":  func(e entry) { out.Length = r.count("length", e.value) },
	}})
	if seen != nil && !seen["key_env"] {
		r.report(position(n), "key_env is missing: the environment variable that holds the key; a key does not stand in a plan")
	}
	return out
}

func (r *reader) mask(n ast.Node) *transform.Mask {
	out := &transform.Mask{}
	r.fixed("mask", n, keys{now: map[string]func(entry){
		"keep": func(e entry) { out.Keep = r.count("keep", e.value) },
		"with": func(e entry) { out.With, _ = r.text("with", e.value) },
	}})
	return out
}

func (r *reader) missing(n ast.Node) transform.Missing {
	if _, ok := n.(*ast.NullNode); ok {
		return transform.MissingEmpty // missing: null
	}
	switch s := r.word("missing", n); s {
	case "error", "reject", "":
		return transform.MissingError
	case "keep":
		return transform.MissingKeep
	case "empty", "null":
		return transform.MissingEmpty
	default:
		r.report(position(n), "unknown way for values that the map does not have %s: error (or reject), keep or empty (or null)%s", quote(s), didYouMean(s, []string{"error", "reject", "keep", "empty", "null"}))
		return transform.MissingError
	}
}

// mapValues reads a map that stands in the plan, or in a CSV file of two columns with a header.
func (r *reader) mapValues(m *transform.Map, n ast.Node) {
	if s, ok := n.(*ast.StringNode); ok {
		path, err := sourcePath(r.path, s.Value, r.lookup)
		if err == nil {
			m.Values, err = readMap(path)
		}
		if err != nil {
			r.report(position(n), "map: %v", err)
		}
		m.From = filepath.Base(path)
		return
	}
	list, ok := r.entries("map", n)
	if !ok {
		return
	}
	m.Values = map[string]string{}
	for _, e := range list {
		if v, ok := r.text("the value of "+quote(e.key), e.value); ok {
			m.Values[e.key] = v
		}
	}
	if len(list) == 0 {
		r.report(position(n), "map is empty; write { OLD: NEW } or the name of a CSV file of two columns")
	}
}

// largestMap is the size in bytes of the largest file of a map.
const largestMap = 16 << 20

// readMap reads a CSV file: a header, then the value of the source and the value for the org.
func readMap(path string) (map[string]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, largestMap+1))
	switch {
	case err != nil:
		return nil, err
	case len(data) > largestMap:
		return nil, fmt.Errorf("%s is larger than %d bytes", path, largestMap)
	case !utf8.Valid(data):
		return nil, fmt.Errorf("%s is not UTF-8; save it as UTF-8", path)
	}
	c := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff"))))
	c.FieldsPerRecord = 2
	if _, err := c.Read(); err != nil {
		return nil, fmt.Errorf("%s: it must be a CSV file of two columns with a header: %w", path, err)
	}
	values := map[string]string{}
	for {
		rec, err := c.Read()
		switch {
		case errors.Is(err, io.EOF) && len(values) == 0:
			return nil, fmt.Errorf("%s holds no values below its header", path)
		case errors.Is(err, io.EOF):
			return values, nil
		case err != nil:
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		line, _ := c.FieldPos(0)
		if old, ok := values[rec[0]]; ok && old != rec[1] {
			return nil, fmt.Errorf("%s line %d: %s stands for %s already, now for %s", path, line, quote(rec[0]), quote(old), quote(rec[1]))
		}
		values[rec[0]] = rec[1]
	}
}
