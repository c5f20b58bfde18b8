package plan

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// reader turns the tree of a YAML file into a plan, and collects all that is wrong with it.
type reader struct {
	path       string
	lookup     func(variable string) (string, bool)
	findings   []Finding
	job, field string // where it is
	queries    []asked
}

func (r *reader) report(at *token.Position, format string, args ...any) {
	f := Finding{Path: r.path, Job: r.job, Field: r.field, Message: fmt.Sprintf(format, args...)}
	if at != nil {
		f.Line, f.Column = at.Line, at.Column
	}
	r.findings = append(r.findings, f)
}

// deepest is how far lists and mappings may lie in one another; a plan needs four. Without a bound the parser's time
// grows with the square of the depth.
const deepest = 32

// parse returns the root of the file, nil when it cannot be read.
func (r *reader) parse(text string) ast.Node {
	tokens := lexer.Tokenize(text)
	if at := tooDeep(tokens); at != nil {
		r.report(at, "lists and mappings lie more than %d deep in one another; a plan needs four", deepest)
		return nil
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		var syntax *yaml.SyntaxError
		if errors.As(err, &syntax) && syntax.Token != nil {
			r.report(syntax.Token.Position, "this is not YAML: %s", syntax.Message)
		} else {
			r.report(nil, "this is not YAML: %v", err)
		}
		return nil
	}
	var root ast.Node
	for _, d := range file.Docs {
		switch {
		case d.Body == nil:
		case root != nil:
			r.report(position(d.Body), "a second document begins here; a plan is one document, so take out the ---")
			return root
		default:
			root = d.Body
		}
	}
	if root == nil {
		r.report(nil, "the plan is empty; it begins with \"version: %d\"", Version)
	}
	return root
}

// tooDeep returns where the nesting exceeds deepest. Blocks cannot get deep without long lines of blanks, except on one
// line, as in "- - -".
func tooDeep(tokens token.Tokens) *token.Position {
	flow, line, inLine := 0, 0, 0
	for _, t := range tokens {
		if t.Position.Line != line {
			line, inLine = t.Position.Line, 0
		}
		switch t.Type {
		case token.MappingStartType, token.SequenceStartType:
			flow++
		case token.MappingEndType, token.SequenceEndType:
			flow--
		case token.SequenceEntryType, token.MappingKeyType, token.AnchorType, token.TagType:
			inLine++
		}
		if flow > deepest || inLine > deepest || t.Position.IndentNum > 4*deepest && t.Type == token.MappingValueType {
			return t.Position
		}
	}
	return nil
}

// entry is a key of a mapping with its value.
type entry struct {
	key   string
	at    *token.Position
	value ast.Node
}

// entries returns what a mapping holds, in the order of the file; false when n is not one.
func (r *reader) entries(what string, n ast.Node) ([]entry, bool) {
	m, ok := n.(*ast.MappingNode)
	if !ok {
		r.wrongKind(what, "a mapping of keys to values", n)
		return nil, false
	}
	var list []entry
	first := map[string]*token.Position{}
	for _, v := range m.Values {
		e := entry{at: v.Key.GetToken().Position, value: v.Value}
		switch k := v.Key.(type) {
		case *ast.StringNode:
			e.key = k.Value
		case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NullNode, *ast.InfinityNode, *ast.NanNode:
			e.key = k.GetToken().Value
		default:
			r.report(e.at, "%s: a key is a plain word; merge keys, anchors and keys with ? are not read", what)
			continue
		}
		if at := first[e.key]; at != nil {
			r.report(e.at, "%s stands twice, first in line %d; take one out", quote(e.key), at.Line)
			continue
		}
		first[e.key] = e.at
		list = append(list, e)
	}
	return list, true
}

// keys are those of a mapping whose keys are fixed.
type keys struct {
	now map[string]func(entry)
}

// fixed reads a mapping, and returns the keys that it has; a misspelt key counts as the one that was meant. It returns nil
// when n is not a mapping.
func (r *reader) fixed(what string, n ast.Node, k keys) map[string]bool {
	list, ok := r.entries(what, n)
	if !ok {
		return nil
	}
	names := slices.Sorted(maps.Keys(k.now))
	seen := map[string]bool{}
	for _, e := range list {
		read := k.now[e.key]
		switch {
		case read != nil:
			seen[e.key] = true
			read(e)
		default:
			meant := closest(e.key, names)
			seen[meant] = true
			hint := "; there can be " + either(k.now)
			if meant != "" {
				hint = "; did you mean " + meant + "?"
			}
			r.report(e.at, "unknown key %s in %s%s", quote(e.key), what, hint)
		}
	}
	return seen
}

func either(now map[string]func(entry)) string {
	return strings.Join(slices.Sorted(maps.Keys(now)), ", ")
}

// text reads a single value as it is written; false when n is none.
func (r *reader) text(what string, n ast.Node) (string, bool) {
	switch v := n.(type) {
	case *ast.StringNode:
		return v.Value, true
	case *ast.LiteralNode:
		return v.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return v.GetToken().Value, true
	}
	r.wrongKind(what, "a single value", n)
	return "", false
}

// word reads a text that may not be empty, nor a number or a truth value.
func (r *reader) word(what string, n ast.Node) string {
	if block, ok := n.(*ast.LiteralNode); ok { // | and >
		n = block.Value
	}
	s, ok := n.(*ast.StringNode)
	switch {
	case !ok:
		r.wrongKind(what, "a text", n)
		return ""
	case strings.TrimSpace(s.Value) == "":
		r.report(position(n), "%s is empty", what)
		return ""
	}
	return s.Value
}

func (r *reader) count(what string, n ast.Node) int {
	if v, ok := n.(*ast.IntegerNode); ok {
		if i, err := strconv.Atoi(v.GetToken().Value); err == nil && i >= 0 {
			return i
		}
	}
	r.wrongKind(what, "a whole number, 0 or more", n)
	return 0
}

func (r *reader) truth(what string, n ast.Node) bool {
	v, ok := n.(*ast.BoolNode)
	if !ok {
		r.wrongKind(what, "true or false", n)
		return false
	}
	return v.Value
}

func (r *reader) wrongKind(what, want string, n ast.Node) {
	got := "of another kind"
	switch v := n.(type) {
	case *ast.NullNode:
		got = "empty"
	case *ast.MappingNode:
		got = "a mapping"
	case *ast.SequenceNode:
		got = "a list"
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode:
		r.report(position(n), "%s: anchors, aliases and tags are not read; write the value itself", what)
		return
	case *ast.StringNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		got = quote(v.GetToken().Value)
	}
	r.report(position(n), "%s is %s; it must be %s", what, got, want)
}

// quote quotes the beginning of a text: who reads a file by mistake should not see all of it.
func quote(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		return strconv.Quote(string(r[:most])) + "…"
	}
	return strconv.Quote(s)
}

// position is where a value begins.
func position(n ast.Node) *token.Position {
	if m, ok := n.(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
		return m.Values[0].Key.GetToken().Position
	}
	if t := n.GetToken(); t != nil {
		return t.Position
	}
	return nil
}
