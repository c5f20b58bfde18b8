package localorg

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// reference is @{name.path} or @{name[0].path}: a value of an earlier answer of the same call.
var reference = regexp.MustCompile(`@\{([A-Za-z0-9_]+)([.\[][^}]*)?\}`)

// fillReferences puts values of earlier answers in place of references.
func fillReferences(text string, bodies map[string]any, escape func(string) string) (string, error) {
	var missing error
	out := reference.ReplaceAllStringFunc(text, func(ref string) string {
		m := reference.FindStringSubmatch(ref)
		v, ok := pick(bodies[m[1]], strings.TrimPrefix(m[2], "."))
		if !ok && missing == nil { // the text is a guess
			missing = refuse(400, "PROCESSING_HALTED", "Invalid reference specified. No value for %s found in %s", strings.TrimPrefix(m[2], "."), m[1])
		}
		return escape(v)
	})
	return out, missing
}

func fillAddress(address string, bodies map[string]any) (string, error) {
	path, query, asks := strings.Cut(address, "?")
	path, err := fillReferences(path, bodies, url.PathEscape)
	if err != nil || !asks {
		return path, err
	}
	query, err = fillReferences(query, bodies, url.QueryEscape)
	return path + "?" + query, err
}

// fillBody fills the references in the texts of a body, at any depth.
func fillBody(body json.RawMessage, bodies map[string]any) ([]byte, error) {
	if !bytes.Contains(body, []byte("@{")) {
		return body, nil
	}
	all, err := decodeAny(body)
	if err != nil {
		return nil, refuseJSON(err)
	}
	var fill func(v any) (any, error)
	fill = func(v any) (out any, err error) {
		switch v := v.(type) {
		case string:
			return fillReferences(v, bodies, func(s string) string { return s })
		case []any:
			for i := range v {
				if v[i], err = fill(v[i]); err != nil {
					return nil, err
				}
			}
		case map[string]any:
			for _, k := range slices.Sorted(maps.Keys(v)) {
				if v[k], err = fill(v[k]); err != nil {
					return nil, err
				}
			}
		}
		return v, nil
	}
	if all, err = fill(all); err != nil {
		return nil, err
	}
	return json.Marshal(all)
}

// decodeAny reads JSON and keeps its numbers as they are written.
func decodeAny(data []byte) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	err = d.Decode(&v)
	return v, err
}

// pick follows a path such as records[0].Id into an answer.
func pick(v any, path string) (string, bool) {
	path = strings.TrimPrefix(strings.NewReplacer("[", ".", "]", "").Replace(path), ".")
	for part := range strings.SplitSeq(path, ".") {
		switch at := v.(type) {
		case map[string]any:
			var ok bool
			if v, ok = at[part]; !ok {
				return "", false
			}
		case []any:
			i, err := strconv.Atoi(part)
			if err != nil || i < 0 || i >= len(at) {
				return "", false
			}
			v = at[i]
		default:
			return "", false
		}
	}
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		return strconv.FormatBool(v), true
	}
	return "", false
}
