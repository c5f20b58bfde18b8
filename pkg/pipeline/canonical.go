package pipeline

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/zeebo/xxh3"

	"migrate/pkg/transform"
)

// The org does not echo the bytes that it was sent: 912260000 comes back as 9.1226E8, and other types may be rewritten too.
// A value's canonical form is the same for all texts that mean the same value of the field's type, so that a row and its
// result can be found by each other. A text that is no value of its type, the reason for many a failure, stands for itself:
// the forms take what Salesforce documents (Bulk API 2.0 guide, Prepare CSV Files) and nothing more, lest a row that the org
// refuses be taken for a neighbour that it saved.

// form appends the canonical form of a value that is neither empty nor the null token.
type form func(dst, v []byte) []byte

func formOf(fieldType string) form {
	switch fieldType {
	case "int", "long", "double", "currency", "percent":
		return numberForm
	case "boolean":
		return boolForm
	case "date":
		return dateForm
	case "datetime":
		return datetimeForm
	case "time":
		return timeForm
	case "id", "reference":
		return idForm
	default:
		return textForm
	}
}

// Tags keep forms of different kinds apart.
const (
	tagNull = iota
	tagText
	tagNumber
	tagBool
	tagDate
	tagInstant
	tagTime
)

func textForm(dst, v []byte) []byte {
	dst = append(dst, tagText)
	if bytes.IndexByte(v, '\r') < 0 {
		return append(dst, v...)
	}
	for i, c := range v { // CR LF and CR are sent as LF
		switch {
		case c != '\r':
			dst = append(dst, c)
		case i+1 == len(v) || v[i+1] != '\n':
			dst = append(dst, '\n')
		}
	}
	return dst
}

func numberForm(dst, v []byte) []byte {
	for _, c := range v {
		if (c < '0' || c > '9') && c != '.' && c != '-' && c != '+' && c != 'e' && c != 'E' {
			return textForm(dst, v)
		}
	}
	f, err := strconv.ParseFloat(string(v), 64)
	if err != nil {
		return textForm(dst, v)
	}
	if f == 0 {
		f = 0 // no minus zero
	}
	return binary.BigEndian.AppendUint64(append(dst, tagNumber), math.Float64bits(f))
}

func boolForm(dst, v []byte) []byte {
	switch {
	case len(v) == 1 && v[0] == '1', bytes.EqualFold(v, []byte("true")):
		return append(dst, tagBool, 1)
	case len(v) == 1 && v[0] == '0', bytes.EqualFold(v, []byte("false")):
		return append(dst, tagBool, 0)
	}
	return textForm(dst, v)
}

func dateForm(dst, v []byte) []byte {
	t, err := time.Parse(time.DateOnly, string(bytes.TrimSuffix(v, []byte("Z"))))
	if err != nil {
		return textForm(dst, v)
	}
	y, m, d := t.Date()
	return binary.BigEndian.AppendUint32(append(dst, tagDate), uint32(y)<<9|uint32(m)<<5|uint32(d))
}

// datetimeForm compares whole seconds: the org stores no fractions. An offset without a colon is no datetime, but +0000 is
// how the org itself writes UTC in other answers.
func datetimeForm(dst, v []byte) []byte {
	text := string(v)
	if utc, ok := strings.CutSuffix(text, "+0000"); ok {
		text = utc + "Z"
	}
	t, err := time.Parse("2006-01-02T15:04:05Z07:00", text) // fractions are read too
	if err != nil || strings.Contains(text, ",") {
		return textForm(dst, v)
	}
	return binary.BigEndian.AppendUint64(append(dst, tagInstant), uint64(t.Unix()))
}

func timeForm(dst, v []byte) []byte {
	t, err := time.Parse("15:04:05", string(bytes.TrimSuffix(v, []byte("Z"))))
	if err != nil {
		return textForm(dst, v)
	}
	return binary.BigEndian.AppendUint64(append(dst, tagTime), uint64(t.Sub(t.Truncate(24*time.Hour))))
}

// idForm takes 15 and 18 characters as the same id: the last three only repeat the case of the others. Where they do not,
// the text is no id.
func idForm(dst, v []byte) []byte {
	if len(v) == 18 && [3]byte(v[15:]) == idSuffix(v) {
		v = v[:15]
	}
	return textForm(dst, v)
}

// idSuffix is one letter for each five characters of an id, which says which of them are capitals.
func idSuffix(id []byte) (suffix [3]byte) {
	for i := range suffix {
		bits := 0
		for k, c := range id[5*i : 5*i+5] {
			if c >= 'A' && c <= 'Z' {
				bits |= 1 << k
			}
		}
		suffix[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"[bits]
	}
	return suffix
}

// rowForm hashes the canonical forms of some columns of a row.
type rowForm struct {
	name    string
	columns []int // of the upload
	forms   []form
	buf     []byte
}

// rowForms are the ways in which rows and results are matched, the surest first: by all columns, by the columns that name
// a row, by the text columns. Ways that would compare the same columns again are left out.
func rowForms(columns []Column) []*rowForm {
	all, keys, texts := &rowForm{name: "own"}, &rowForm{name: "key"}, &rowForm{name: "text"}
	add := func(r *rowForm, i int, f form) {
		r.columns = append(r.columns, i)
		r.forms = append(r.forms, f)
	}
	for i, c := range columns {
		f := formOf(c.Type)
		add(all, i, f)
		if c.Key {
			add(keys, i, f)
		}
		switch c.Type {
		case "int", "long", "double", "currency", "percent", "boolean", "date", "datetime", "time":
		default:
			add(texts, i, f)
		}
	}
	ways := []*rowForm{all}
	for _, way := range []*rowForm{keys, texts} {
		same := func(w *rowForm) bool { return slices.Equal(w.columns, way.columns) }
		if len(way.columns) > 0 && !slices.ContainsFunc(ways, same) {
			ways = append(ways, way)
		}
	}
	return ways
}

// hash returns the hash of a row whose values are given by column of the upload.
func (r *rowForm) hash(value func(column int) []byte) xxh3.Uint128 {
	buf := r.buf[:0]
	for i, c := range r.columns {
		at := len(buf)
		buf = append(buf, 0, 0, 0, 0) // length of the form, so that no two rows run together
		if v := value(c); len(v) == 0 || string(v) == transform.NullToken {
			buf = append(buf, tagNull)
		} else {
			buf = r.forms[i](buf, v)
		}
		binary.BigEndian.PutUint32(buf[at:], uint32(len(buf)-at-4))
	}
	r.buf = buf
	return xxh3.Hash128(buf)
}
