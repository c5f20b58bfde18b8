package restquery

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Column is a column of a query.
type Column struct {
	Name string // a field, or one of a parent: Owner.Name
	Type string // the field's, as describe has it
}

// appendHeader appends the header as query jobs write it.
func appendHeader(dst []byte, columns []Column) []byte {
	for i, c := range columns {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendQuoted(dst, c.Name)
	}
	return append(dst, '\n')
}

// appendRow appends a record as query jobs write it (Bulk API 2.0 guide, Get Results for a Query Job): all values quoted, nothing for null,
// times with a Z. Numbers stand as they came: 100, where a query job writes 100.0.
func appendRow(dst []byte, columns []Column, text json.RawMessage) ([]byte, error) {
	var record map[string]json.RawMessage
	if err := json.Unmarshal(text, &record); err != nil {
		return dst, err
	}
	for i, c := range columns {
		if i > 0 {
			dst = append(dst, ',')
		}
		v, err := valueOf(record, c)
		if err != nil {
			return dst, fmt.Errorf("%s: %w", c.Name, err)
		}
		dst = appendQuoted(dst, v)
	}
	return append(dst, '\n'), nil
}

// valueOf finds the value of a column. A record has all fields that were asked for, so one that is missing is an error; a parent has not: it may be of a
// type that lacks the field.
func valueOf(record map[string]json.RawMessage, c Column) (string, error) {
	path := strings.Split(c.Name, ".")
	raw, ok := record[path[0]]
	if !ok {
		return "", fmt.Errorf("the org leaves it out of its answer")
	}
	for _, field := range path[1:] {
		var parent map[string]json.RawMessage // null makes it nil
		if err := json.Unmarshal(raw, &parent); err != nil {
			return "", err
		}
		if raw, ok = parent[field]; !ok {
			return "", nil
		}
	}
	switch raw[0] {
	case 'n':
		return "", nil
	case '"':
		var v string
		err := json.Unmarshal(raw, &v)
		if c.Type == "datetime" {
			if utc, ok := strings.CutSuffix(v, "+0000"); ok {
				v = utc + "Z"
			}
		}
		return v, err
	case '{', '[':
		return "", fmt.Errorf("the org gives %.40q, which is no single value", raw)
	}
	return string(raw), nil
}

func appendQuoted(dst []byte, v string) []byte {
	dst = append(dst, '"')
	for i := range len(v) {
		if v[i] == '"' {
			dst = append(dst, '"')
		}
		dst = append(dst, v[i])
	}
	return append(dst, '"')
}
