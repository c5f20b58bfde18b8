package plan

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/apache/arrow-go/v18/arrow"

	"migrate/pkg/salesforce"
	"migrate/pkg/transform"
)

// The reasons to doubt that the org takes a value as it stands. They are reckoned from describe, before anything is sent; the org
// has the last word, as its own rules and triggers are not known here.
const (
	doubtForm     = "wrong_form"      // not of the field's type
	doubtRange    = "out_of_range"    // more digits before the point, or another year, than the field takes
	doubtDigits   = "digits_dropped"  // more digits behind the point: the org drops them and says nothing
	doubtLength   = "too_long"        // text
	doubtPicklist = "not_in_picklist" // of a restricted picklist
	doubtID       = "not_an_id"       // neither 15 nor 18 letters and digits
	doubtEmail    = "not_an_address"  // an e-mail address without @
	doubtNull     = "cannot_be_empty" // a required field is cleared
	refusedYear   = "1700 to 4000"    // of dates and times (Object Reference, Primitive Data Types)
	firstYear     = 1700
	lastYear      = 4000
	shownPicklist = 8 // values of a picklist that a message names
)

// Doubt says why the org would refuse a value, or change it; "" when it takes it as it is.
type doubt func(value string) (rule, why string)

var (
	decimal   = regexp.MustCompile(`^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$`)
	booleans  = []string{"true", "false", "1", "0"}
	dateForms = map[string][]string{
		"date":     {"2006-01-02", "2006-01-02Z"},
		"datetime": {"2006-01-02T15:04:05Z07:00"}, // with a fraction, too
		"time":     {"15:04:05Z"},
	}
)

// doubtOf is how the values of a field are doubted (Bulk API 2.0 guide, Prepare CSV Files; Object Reference, Field Types).
func doubtOf(f *salesforce.Field) doubt {
	switch f.Type {
	case "boolean":
		return func(v string) (string, string) {
			if slices.Contains(booleans, strings.ToLower(v)) {
				return "", ""
			}
			return doubtForm, quote(v) + " is no boolean: true, false, 1 or 0"
		}
	case "int", "long", "double", "currency", "percent":
		return func(v string) (string, string) { return doubtNumber(f, v) }
	case "date", "datetime", "time":
		return func(v string) (string, string) { return doubtTime(f.Type, v) }
	case "id", "reference":
		return func(v string) (string, string) {
			if recordID.MatchString(v) {
				return "", ""
			}
			return doubtID, quote(v) + " is no Id: 15 or 18 letters and digits"
		}
	case "picklist", "multipicklist":
		return doubtChoice(f)
	case "email":
		return func(v string) (string, string) {
			if !strings.Contains(v, "@") {
				return doubtEmail, quote(v) + " is no e-mail address"
			}
			return doubtText(f, v)
		}
	}
	return func(v string) (string, string) { return doubtText(f, v) }
}

func doubtText(f *salesforce.Field, v string) (string, string) {
	if f.Length == 0 || len(v) <= f.Length {
		return "", ""
	}
	if n := len(utf16.Encode([]rune(v))); n > f.Length {
		return doubtLength, fmt.Sprintf("%s has %d characters, and the field takes %d", quote(v), n, f.Length)
	}
	return "", ""
}

func doubtNumber(f *salesforce.Field, v string) (string, string) {
	if !decimal.MatchString(v) {
		return doubtForm, quote(v) + " is no number: digits, with a point before the fraction"
	}
	x, err := strconv.ParseFloat(v, 64)
	whole, scale := f.Precision-f.Scale, f.Scale
	if f.Type == "int" || f.Type == "long" {
		whole, scale = f.Digits, 0
	}
	plain := strings.TrimPrefix(strconv.FormatFloat(x, 'f', -1, 64), "-")
	before, after, _ := strings.Cut(plain, ".")
	switch {
	case err != nil, whole > 0 && len(before) > whole:
		return doubtRange, fmt.Sprintf("%s has more than the %d digits that the field takes before the point", quote(v), whole)
	case len(after) > scale:
		return doubtDigits, fmt.Sprintf("%s has %d digits behind the point, and the field keeps %d", quote(v), len(after), scale)
	}
	return "", ""
}

func doubtTime(kind, v string) (string, string) {
	for _, form := range dateForms[kind] {
		t, err := time.Parse(form, v)
		if err != nil || strings.Contains(v, ",") { // Go reads a comma before a fraction
			continue
		}
		if y := t.UTC().Year(); kind != "time" && (y < firstYear || y > lastYear) {
			return doubtRange, fmt.Sprintf("%s is not in the years %s", quote(v), refusedYear)
		}
		return "", ""
	}
	return doubtForm, fmt.Sprintf("%s is no %s", quote(v), kind)
}

func doubtChoice(f *salesforce.Field) doubt {
	takes := map[string]bool{}
	var names []string
	for _, p := range f.PicklistValues {
		if p.Active {
			takes[p.Value] = true
			names = append(names, p.Value)
		}
	}
	if !f.RestrictedPicklist {
		return func(v string) (string, string) {
			if f.Type == "multipicklist" {
				return "", ""
			}
			return doubtText(f, v)
		}
	}
	return func(v string) (string, string) {
		items := []string{v}
		if f.Type == "multipicklist" {
			items = strings.Split(v, ";")
		}
		for _, item := range items {
			if !takes[item] {
				listed := strings.Join(names[:min(len(names), shownPicklist)], ", ")
				if len(names) > shownPicklist {
					listed += ", …"
				}
				return doubtPicklist, fmt.Sprintf("%s is not in the picklist: %s%s", quote(item), listed, didYouMean(item, names))
			}
		}
		return "", ""
	}
}

// doubtOf doubts the values of a column of the upload.
func (c *compiler) doubtOf(t target) func(value string) (rule, why string) {
	f := t.value()
	known := doubtOf(f)
	return func(v string) (string, string) {
		switch {
		case v == "":
			return "", ""
		case v == transform.NullToken && t.parent == nil && !f.Nillable && f.Type != "id":
			return doubtNull, "the field is cleared, and cannot be empty"
		case v == transform.NullToken:
			return "", ""
		}
		return known(v)
	}
}

// spoken doubts what the plan itself says: constants, defaults, values of maps.
func (c *compiler) spoken(t target) {
	known := doubtOf(t.value())
	check := func(what, v string, cut bool) {
		if v == "" || v == transform.NullToken {
			return
		}
		switch rule, why := known(v); {
		case rule == "", rule == doubtLength && cut:
		case rule == doubtDigits:
			c.note("%s: %s: %s", t.header, what, why)
		default:
			c.find(&t.Field, "%s: %s", what, why)
		}
	}
	if t.Const != nil && !c.isKey(t) { // a key that is a constant is wrong anyhow
		check("const", *t.Const, false)
	}
	cut := t.TruncateToLength || t.Truncate > 0 && t.Truncate <= t.value().Length // what comes behind the steps before it
	if t.Default != nil {
		check("default", *t.Default, cut)
	}
	if t.Map != nil && t.Hash == nil && t.Mask == nil && t.Ref == nil && t.Lookup == nil {
		for _, from := range slices.Sorted(maps.Keys(t.Map.Values)) {
			check("map: "+quote(from), t.Map.Values[from], cut)
		}
	}
}

// The types of fields that a typed column can be sent to as it stands; text can be sent to all of them.
var (
	texts   = []string{"string", "textarea", "picklist", "multipicklist", "combobox", "phone", "url", "email", "encryptedstring", "id", "reference", "anyType"}
	numbers = []string{"int", "long", "double", "currency", "percent"}
)

// columnFits finds a typed column that a field cannot take, where no step makes something else of it.
func (c *compiler) columnFits(t target) {
	found := c.schema.FieldIndices(t.From)
	if t.From == "" || len(found) != 1 || !reflect.DeepEqual(t.Steps, transform.Steps{}) || t.Ref != nil || t.Lookup != nil {
		return
	}
	var may []string
	typ := c.schema.Field(found[0]).Type
	switch id := typ.ID(); {
	case id == arrow.BOOL:
		may = []string{"boolean"}
	case arrow.IsInteger(id):
		may = append([]string{"boolean"}, numbers...)
	case arrow.IsFloating(id) || arrow.IsDecimal(id):
		may = numbers
	case id == arrow.DATE32 || id == arrow.DATE64:
		may = []string{"date", "datetime"}
	case id == arrow.TIMESTAMP:
		may = []string{"date", "datetime", "time"}
	case id == arrow.TIME32 || id == arrow.TIME64:
		may = []string{"time"}
	default:
		return
	}
	if f := t.value(); !slices.Contains(may, f.Type) && !slices.Contains(texts, f.Type) {
		c.find(&t.Field, "is of type %s, and column %s holds %s; an expr can make one of the other", f.Type, t.From, typ)
	}
}
