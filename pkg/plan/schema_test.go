package plan

import (
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestSchemaKnowsTheKeys: the schema has the keys that the reader has, no more and no fewer.
func TestSchemaKnowsTheKeys(t *testing.T) {
	t.Parallel()
	type node struct {
		Properties map[string]json.RawMessage
		Defs       map[string]json.RawMessage `json:"$defs"`
	}
	var root node
	if err := json.Unmarshal(Schema, &root); err != nil {
		t.Fatal(err)
	}
	at := func(path ...string) []string {
		n := root
		var raw json.RawMessage
		for _, p := range path {
			if def, ok := n.Defs[p]; ok {
				raw = def
			} else {
				raw = n.Properties[p]
			}
			n = node{}
			if err := json.Unmarshal(raw, &n); err != nil {
				t.Fatalf("%v: %v", path, err)
			}
		}
		return slices.Sorted(maps.Keys(n.Properties))
	}
	there := regexp.MustCompile(`unknown key "qqqqqq" in [^;]*; there can be ([^\n]*)`)
	known := func(text string) []string {
		_, err := read("p.yaml", text, environment)
		m := there.FindStringSubmatch(err.Error())
		if m == nil {
			t.Fatalf("%s: %v", text, err)
		}
		return strings.Split(m[1], ", ")
	}
	const job = "version: 1\njobs:\n  a:\n    load: A\n    operation: insert\n    source: { csv: a.csv }\n    fields:\n      F: "
	const export = "version: 1\njobs:\n  a:\n    export: A\n    to: a.csv\n    "
	for _, test := range []struct {
		path []string
		text string
	}{
		{nil, "version: 1\nqqqqqq: 1\n"},
		{[]string{"job"}, "version: 1\njobs:\n  a:\n    qqqqqq: 1\n"},
		{[]string{"source"}, "version: 1\njobs:\n  a:\n    source: { qqqqqq: 1 }\n"},
		{[]string{"field"}, job + "{ qqqqqq: 1 }\n"},
		{[]string{"field", "split"}, job + "{ from: x, split: { qqqqqq: 1 } }\n"},
		{[]string{"field", "number"}, job + "{ from: x, number: { qqqqqq: 1 } }\n"},
		{[]string{"field", "boolean"}, job + "{ from: x, boolean: { qqqqqq: 1 } }\n"},
		{[]string{"field", "hash"}, job + "{ from: x, hash: { qqqqqq: 1 } }\n"},
		{[]string{"field", "mask"}, job + "{ from: x, mask: { qqqqqq: 1 } }\n"},
		{[]string{"export"}, export + "qqqqqq: 1\n"},
		{[]string{"target"}, "version: 1\njobs:\n  a:\n    export: A\n    to: { qqqqqq: 1 }\n"},
		{[]string{"watermark"}, export + "watermark: { qqqqqq: 1 }\n"},
		{[]string{"deletes"}, export + "watermark: true\n    deletes: { qqqqqq: 1 }\n"},
		{[]string{"replace"}, job + "{ from: x, replace: { qqqqqq: 1 } }\n"},
	} {
		if diff := cmp.Diff(known(test.text), at(test.path...)); diff != "" {
			t.Errorf("%v (-reader +schema)\n%s", test.path, diff)
		}
	}
}

// TestReadmeKnowsTheKeys: what can be written in a field, a job or an export is explained in the README.
func TestReadmeKnowsTheKeys(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var root struct {
		Defs map[string]struct{ Properties map[string]any } `json:"$defs"`
	}
	if err := json.Unmarshal(Schema, &root); err != nil {
		t.Fatal(err)
	}
	for _, def := range []string{"field", "job", "source", "export", "target", "watermark", "deletes"} {
		keys := root.Defs[def].Properties
		if len(keys) == 0 {
			t.Errorf("the schema has no %s", def)
		}
		for key := range keys {
			told := regexp.MustCompile("(`[^`\n]*\\b" + key + "\\b[^`\n]*`)|(?m:^    .*\\b" + key + ":( |$))")
			if !told.Match(text) {
				t.Errorf("%s: the README does not tell of %s", def, key)
			}
		}
	}
}
