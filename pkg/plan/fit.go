package plan

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf16"

	"migrate/pkg/salesforce"
	"migrate/pkg/transform"
)

// proposal is a column of the source in a sketch: the line of a field, and comments.
type proposal struct {
	column string
	to     string   // field, or path of a lookup; "" = no field fits
	keys   string   // steps, as a plan writes them; "" = none
	out    bool     // the line is commented out
	why    string   // comment on the line
	notes  []string // comments below it
	offers []string // lines below it that are commented out: what could stand instead
}

func (e *proposal) note(format string, args ...any) {
	e.notes = append(e.notes, fmt.Sprintf(format, args...))
}

// offer adds a line that could stand instead.
func (e *proposal) offer(to, keys string) { e.offers = append(e.offers, fieldLine(to, e.column, keys)) }

// fit looks at the values of a column that was matched to a field: what steps they need, and whether the org would take them.
func (d *drawing) fit(e *proposal, field *salesforce.Field) error {
	kind := kindOf(field)
	text, err := d.Sample.try(transform.Field{To: "F", From: e.column}, "")
	if err != nil || text.filled == 0 {
		return nil // bytes and the like: what there is to say, Compile says
	}
	if kind != transform.KindText {
		d.notation(e, kind, text)
	}
	switch {
	case field.Type == "reference":
		return d.lookupValues(e, field, text)
	case field.RestrictedPicklist && len(field.PicklistValues) > 0:
		d.picklist(e, field, text)
	case kind == transform.KindText && field.Length > 0:
		d.length(e, field, text)
	}
	return nil
}

// notation finds out in which notation a column has its numbers, truth values, dates or times.
func (d *drawing) notation(e *proposal, kind transform.Kind, text trial) {
	asIs, err := d.Sample.try(transform.Field{To: "F", From: e.column, Kind: kind}, d.Job.Timezone)
	if err != nil {
		return
	}
	unfit := slices.DeleteFunc(slices.Clone(asIs.values), func(v string) bool { return v == "" || plain(kind, v) })
	good := asIs.filled - len(unfit)
	all, most := d.Sample.readings(e.column, kind, text.values)
	switch {
	case len(unfit) == 0:
		if kind == transform.KindNumber && len(all) > 1 {
			e.note("in %s, the numbers can be read in another way, too:", d.Sample)
			e.offer(e.to, all[1].keys)
		}
	case len(all) > 1:
		e.out = true
		e.note("in %s, the values can be read in %d ways; say which is meant:", d.Sample, len(all))
		for _, r := range all[:min(len(all), 4)] {
			e.offer(e.to, d.zoned(kind, r.keys))
		}
	case len(all) == 1 && d.zoned(kind, all[0].keys) != all[0].keys:
		e.out = true
		e.note("in %s, all values (%d) fit this, but they name no timezone; say whose times they are:", d.Sample, text.filled)
		e.offer(e.to, d.zoned(kind, all[0].keys))
	case len(all) == 1:
		e.keys = all[0].keys
		e.note("in %s, all values (%d) fit %s", d.Sample, text.filled, e.keys)
	case good > 0 && good >= most.filled:
		e.note("%d of %d values in %s are no %s, such as %s; rows with them would fail", len(unfit), text.filled, d.Sample, kind, quote(unfit[0]))
	default:
		e.out = true
		e.note("the field takes a %s; %d of %d values in %s are none, such as %s", kind, len(unfit), text.filled, d.Sample, quote(unfit[0]))
		if most.filled > 0 {
			e.note("%d of them would fit this, and rows with others would be rejected:", most.filled)
			e.offer(e.to, d.zoned(kind, most.keys))
		}
	}
}

// zoned adds what says the zone of times that name none.
func (d *drawing) zoned(kind transform.Kind, keys string) string {
	if kind != transform.KindDatetime || d.Job.Timezone != "" || strings.Contains(keys, "X") {
		return keys
	}
	return keys + ", timezone: ZONE"
}

// length tells of values that are too long for a field.
func (d *drawing) length(e *proposal, field *salesforce.Field, text trial) {
	long := 0
	for _, v := range text.values {
		if len(v) > field.Length && len(utf16.Encode([]rune(v))) > field.Length {
			long++
		}
	}
	if long > 0 {
		e.note("%d of %d values in %s are longer than the %d characters of the field; rows with them would fail, or be cut with truncate: true", long, text.filled, d.Sample, field.Length)
	}
}

// mostMapped is how many values of a picklist a sketch lists.
const mostMapped = 50

// picklist offers a map where values are not among those that a restricted picklist takes.
func (d *drawing) picklist(e *proposal, field *salesforce.Field, text trial) {
	var takes, known []string
	value := map[string]string{}
	for _, p := range field.PicklistValues {
		if p.Active {
			takes = append(takes, p.Value)
			known = append(known, p.Value, p.Label)
			value[p.Label] = p.Value
		}
	}
	for _, v := range takes {
		value[v] = v
	}
	multi := field.Type == "multipicklist"
	var unknown []string
	for _, v := range text.values {
		parts := []string{v}
		if multi {
			parts = strings.Split(v, ";")
		}
		for _, p := range parts {
			if p != "" && !slices.Contains(takes, p) && !slices.Contains(unknown, p) {
				unknown = append(unknown, p)
			}
		}
	}
	if len(unknown) == 0 {
		return
	}
	e.note("values in %s that are not in the picklist: %d; rows with them would fail; it takes %s", d.Sample, len(unknown), someOf(takes))
	more := len(unknown) - mostMapped
	if more > 0 {
		e.note("%d of them stand here:", mostMapped)
		unknown = unknown[:mostMapped]
	}
	e.offers = append(e.offers, yamlText(e.to)+":", "  from: "+yamlText(e.column))
	if multi {
		e.offers = append(e.offers, `  list: ";"`)
	}
	e.offers = append(e.offers, "  missing: keep", "  map:")
	for _, v := range unknown {
		to := "TODO"
		if near, ok := value[closest(v, known)]; ok {
			to = near
		}
		e.offers = append(e.offers, "    "+yamlText(v)+": "+yamlText(to))
	}
}

// someOf lists the first of many words.
func someOf(words []string) string {
	const most = 12
	quoted := make([]string, 0, most)
	for _, w := range words[:min(len(words), most)] {
		quoted = append(quoted, quote(w))
	}
	if len(words) > most {
		quoted = append(quoted, fmt.Sprintf("and %d more", len(words)-most))
	}
	return strings.Join(quoted, ", ")
}

var recordID = regexp.MustCompile(`^[A-Za-z0-9]{15}([A-Z0-5]{3})?$`)

// lookupValues says how a lookup can be set otherwise than by the Id of the parent, and comments it out where the values are no Ids.
func (d *drawing) lookupValues(e *proposal, field *salesforce.Field, text trial) error {
	if i := slices.IndexFunc(text.values, func(v string) bool { return v != "" && !recordID.MatchString(v) }); i >= 0 {
		e.out = true
		e.note("the field takes the Id of a record, which %s is not; the parent's id in its own source, or one of its keys, would be:", quote(text.values[i]))
	} else {
		e.note("as the values are Ids, they are sent; the parent's id in its own source, or one of its keys, would be:")
	}
	if slices.Contains(field.ReferenceTo, d.object.Name) {
		e.offer(field.Name, "ref: "+yamlText(d.Job.Name)+", second_pass: true")
	} else {
		e.offer(field.Name, "ref: JOB")
	}
	const most = 3 // parents and keys
	if field.RelationshipName == "" || len(field.ReferenceTo) > most {
		return nil
	}
	for _, object := range field.ReferenceTo {
		parent, err := d.Describe(object)
		var api *salesforce.APIError
		switch {
		case errors.As(err, &api) && api.Status == notFound:
			continue
		case err != nil:
			return err
		}
		path := field.RelationshipName
		if len(field.ReferenceTo) > 1 {
			path = parent.Name + ":" + path
		}
		keys := slices.DeleteFunc(keysOf(parent), func(k string) bool { return k == "Id" })
		for _, k := range keys[:min(len(keys), most)] {
			e.offer(path+"."+k, "")
		}
	}
	return nil
}
