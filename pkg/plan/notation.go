package plan

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"migrate/pkg/transform"
)

// Ways of writing numbers, dates and times that a sketch tries on the values of a column. Each is the keys of a field as a plan has
// them. Where two read all values and mean the same, the first is taken.

var numberNotations = []string{
	`number: {}`,
	`number: { decimal: "," }`,
	`number: { thousands: "," }`,
	`number: { decimal: ",", thousands: "." }`,
	`number: { thousands: " " }`,
	`number: { decimal: ",", thousands: " " }`,
	`number: { decimal: ",", thousands: "\u00a0" }`,
	`number: { decimal: ",", thousands: "\u202f" }`,
	`number: { thousands: "'" }`,
	`number: { thousands: "’" }`,
}

var (
	dateFormats = []string{"yyyy-MM-dd", "dd.MM.yyyy", "d.M.yyyy", "dd/MM/yyyy", "d/M/yyyy", "MM/dd/yyyy", "M/d/yyyy", "yyyy/MM/dd", "yyyyMMdd", "yyyy.MM.dd",
		"dd-MM-yyyy", "d-M-yyyy", "MM-dd-yyyy", "M-d-yyyy", "dd MMM yyyy", "d MMM yyyy", "dd-MMM-yyyy", "d-MMM-yyyy", "d MMMM yyyy", "MMM d, yyyy", "MMMM d, yyyy",
		"dd.MM.yy", "d.M.yy", "dd/MM/yy", "d/M/yy", "MM/dd/yy", "M/d/yy", "dd-MMM-yy", "d-MMM-yy"}
	clockFormats = []string{" HH:mm:ss", " HH:mm", "'T'HH:mm:ss", "'T'HH:mm", " hh:mm:ss a", " h:mm:ss a", " hh:mm a", " h:mm a"}
	zoneFormats  = []string{"XXX", " XXX", "XX", " XX", "X"}
	timeFormats  = []string{"HH:mm:ss", "HH:mm", "H:mm:ss", "H:mm", "hh:mm:ss a", "h:mm:ss a", "hh:mm a", "h:mm a"}
)

// notations are those to be tried for a kind of field, given some of the values.
func notations(kind transform.Kind, values []string) []string {
	var formats []string
	switch kind {
	case transform.KindNumber:
		return numberNotations
	case transform.KindBoolean:
		if words := booleanWords(values); words != "" {
			return []string{words}
		}
	case transform.KindDate:
		formats = slices.Clone(dateFormats)
		for _, d := range dateFormats {
			for _, t := range clockFormats {
				formats = append(formats, d+t)
			}
		}
	case transform.KindDatetime:
		for _, d := range dateFormats {
			for _, t := range clockFormats {
				formats = append(formats, d+t)
				for _, z := range zoneFormats {
					formats = append(formats, d+t+z)
				}
			}
		}
		formats = append(formats, dateFormats...)
	case transform.KindTime:
		formats = timeFormats
	}
	list := make([]string, len(formats))
	for i, f := range formats {
		list[i] = "format: " + yamlText(f)
	}
	return list
}

// opposites are pairs of words for yes and no. Several languages share their no.
var opposites = [][2]string{{"true", "false"}, {"1", "0"}, {"yes", "no"}, {"y", "n"}, {"t", "f"}, {"on", "off"}, {"ja", "nein"}, {"j", "n"}, {"wahr", "falsch"},
	{"oui", "non"}, {"vrai", "faux"}, {"si", "no"}, {"sí", "no"}, {"sim", "não"}, {"x", ""}}

// booleanWords gives the words for yes and no among the values, and of a word whose opposite is not there, that as well; "" when a value
// is no such word.
func booleanWords(values []string) string {
	seen := map[string]bool{}
	for _, v := range values {
		if v != "" {
			seen[strings.ToLower(v)] = true
		}
	}
	yes, no := map[string]bool{}, map[string]bool{}
	for _, side := range []int{0, 1} {
		for _, pair := range opposites {
			if word := pair[side]; seen[word] {
				[]map[string]bool{yes, no}[side][word] = true
			}
		}
	}
	if len(yes)+len(no) != len(seen) || len(seen) == 0 {
		return ""
	}
	noYes, noNo := len(yes) == 0, len(no) == 0
	for _, pair := range opposites {
		switch {
		case noNo && yes[pair[0]] && pair[1] != "":
			no[pair[1]] = true
		case noYes && no[pair[1]]:
			yes[pair[0]] = true
		}
	}
	words := func(set map[string]bool) string {
		var list []string
		for _, w := range slices.Sorted(maps.Keys(set)) {
			list = append(list, yamlText(w))
		}
		return strings.Join(list, ", ")
	}
	if len(no) == 0 {
		return fmt.Sprintf("boolean: { true: [%s] }", words(yes))
	}
	return fmt.Sprintf("boolean: { true: [%s], false: [%s] }", words(yes), words(no))
}

var plainNumber = regexp.MustCompile(`^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$`)

// plain says whether the org takes a text for a kind of field as it stands.
func plain(kind transform.Kind, text string) bool {
	is := func(layouts ...string) bool {
		return slices.ContainsFunc(layouts, func(l string) bool {
			_, err := time.Parse(l, text)
			return err == nil
		})
	}
	switch kind {
	case transform.KindNumber:
		return plainNumber.MatchString(text)
	case transform.KindBoolean:
		return slices.Contains([]string{"true", "false", "1", "0"}, strings.ToLower(text))
	case transform.KindDate:
		return is(time.DateOnly)
	case transform.KindDatetime:
		return is(time.RFC3339Nano) && !strings.Contains(text, ",")
	case transform.KindTime:
		return is("15:04:05.999999999Z")
	}
	return true
}

// reading is a notation and what the sample becomes with it.
type reading struct {
	keys string // of the field
	trial
}

// readings tries the notations on the values of a column. Those that read all values come first, one for each meaning; most is the one
// that reads most where none reads all.
func (s *Sample) readings(column string, kind transform.Kind, values []string) (all []reading, most reading) {
	first := slices.IndexFunc(values, func(v string) bool { return v != "" })
	few := s.part(int64(first), 16) // most notations fit none of these, which saves trying them on all rows
	defer few.Release()
	for _, keys := range notations(kind, values) {
		f, err := fieldOf(fmt.Sprintf("{ from: %s, %s }", yamlText(column), keys))
		if err != nil {
			continue
		}
		read := transform.Field{To: "F", From: column, Kind: kind, Steps: f.Steps}
		const zone = "UTC" // the same texts fit in all
		if t, err := few.try(read, zone); err != nil || t.filled == 0 {
			continue
		}
		switch t, err := s.try(read, zone); {
		case err != nil:
		case t.bad > 0:
			most = slices.MaxFunc([]reading{most, {keys, t}}, func(a, b reading) int { return cmp.Compare(a.filled, b.filled) })
		case !slices.ContainsFunc(all, func(r reading) bool { return slices.Equal(r.values, t.values) }):
			all = append(all, reading{keys, t})
		}
	}
	return all, most
}
