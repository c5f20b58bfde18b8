package localorg

import (
	"cmp"
	"slices"
	"strings"
)

// plan is what the header of an upload means for one job: which cell goes where.
type plan struct {
	table    *table
	width    int      // cells of a row
	columns  []column // by field, ascending
	id       int      // place of the Id cell, -1 without
	key      int      // place of the external id cell of an upsert, -1 without
	keyField *field
	required []requiredField // what an insert must bring
	fills    []fill          // what an insert gets by itself, by field, ascending
}

// column is one cell of a row that sets a field.
type column struct {
	place  int // among the cells of a row
	field  *field
	parent *table   // with a relationship header: where the parent is looked up
	by     *field   // and by which of its fields
	accept []string // key prefixes that a reference may have
}

// requiredField is a field without which an insert fails; column is its place in plan.columns, -1 without.
type requiredField struct {
	field  *field
	column int
}

// fill is the default value of a field.
type fill struct {
	index int
	value []byte
}

// compile reads a header. Its errors are *jobError: they fail the job, and only the first is told.
func (o *Org) compile(j *job, names []string) (*plan, error) {
	p := &plan{table: o.table(j.obj), width: len(names), id: -1, key: -1, keyField: j.key}
	if len(names) > maxFields { // the text is a guess
		return nil, invalidBatch("The header has more than %d fields", maxFields)
	}
	if op := j.spec.Operation; op == "delete" || op == "hardDelete" {
		if len(names) != 1 || !o.sameName(names[0], "Id") {
			return nil, invalidBatch("The '%s' batch must contain only ids", op)
		}
		p.id = 0
		o.linkAll(p.table)
		return p, nil
	}
	seen := map[string]bool{}
	for place, name := range names {
		if low := strings.ToLower(name); seen[low] { // text is a guess
			return nil, invalidBatch("Duplicate field name found : %s", name)
		} else {
			seen[low] = true
		}
		col, err := o.column(j.obj, name)
		if err != nil {
			return nil, err
		}
		col.place = place
		if col.field.kind == kindFile { // an upload of Bulk API 2.0 has no contents; the text is a guess
			return nil, invalidBatch("Field name not found : %s", name)
		}
		if col.field.kind == kindID && col.parent == nil {
			p.id = place
			continue
		}
		if p.keyField != nil && col.field.Name == p.keyField.Name && col.parent == nil { // by name: the key may have another type by now
			p.key = place
		}
		p.columns = append(p.columns, col)
	}
	slices.SortStableFunc(p.columns, func(a, b column) int { return cmp.Compare(a.field.index, b.field.index) })
	p.addRules(j.obj)
	return p, nil
}

// addRules finds what an insert must bring and what it gets by itself.
func (p *plan) addRules(obj *object) {
	for _, f := range obj.shape().Fields {
		if f.required() {
			at := slices.IndexFunc(p.columns, func(c column) bool { return c.field == f })
			p.required = append(p.required, requiredField{f, at})
		}
		if v := defaultOf(f); v != nil {
			p.fills = append(p.fills, fill{f.index, v})
		}
	}
}

// defaultOf gives the stored form of a field's default, nil when there is none or when it is implied.
func defaultOf(f *field) []byte {
	if !f.Createable {
		return nil
	}
	switch v := f.DefaultValue.(type) {
	case string:
		return []byte(v)
	case bool:
		if v {
			return valueTrue
		}
	}
	return nil
}

func (o *Org) sameName(a, b string) bool {
	if o.cfg.CaseSensitiveHeaders {
		return a == b
	}
	return strings.EqualFold(a, b)
}

// column reads one name of a header: a field, Relationship.Field, or Type:Relationship.Field where the lookup has
// several types.
func (o *Org) column(obj *object, name string) (column, error) {
	notFound := invalidBatch("Field name not found : %s", name)
	relName, fieldName, isRel := strings.Cut(name, ".")
	if !isRel {
		f := obj.field(name)
		if f == nil || f.kind == kindCompound || !o.sameName(f.Name, name) {
			return column{}, notFound
		}
		return column{field: f, accept: o.prefixesOf(f.ReferenceTo)}, nil
	}
	typeName, rel, typed := strings.Cut(relName, ":")
	if !typed {
		rel = relName
	}
	f := obj.relation(rel)
	if f == nil || !o.sameName(f.RelationshipName, rel) {
		return column{}, invalidBatch("Unable to find relationship: %s", rel)
	}
	parent := ""
	switch {
	case typed && len(f.ReferenceTo) == 1:
		return column{}, invalidBatch("type is not needed for non polymorphic foreign key references: %s", rel)
	case typed:
		i := slices.IndexFunc(f.ReferenceTo, func(t string) bool { return o.sameName(t, typeName) })
		if i < 0 {
			return column{}, notFound
		}
		parent = f.ReferenceTo[i]
	case len(f.ReferenceTo) == 1:
		parent = f.ReferenceTo[0]
	case f.Name == "OwnerId": // the guide's sample has Owner.Email without a type, although it may be a group
		parent = "User"
	default:
		return column{}, notFound
	}
	parentObj := o.schema.object(parent)
	if parentObj == nil {
		return column{}, notFound
	}
	by := parentObj.field(fieldName)
	if by == nil || by.kind != kindID && !by.indexed() || !o.sameName(by.Name, fieldName) {
		return column{}, notFound
	}
	return column{field: f, parent: o.table(parentObj), by: by, accept: []string{parentObj.KeyPrefix}}, nil
}

func (o *Org) prefixesOf(objects []string) []string {
	var list []string
	for _, name := range objects {
		if obj := o.schema.object(name); obj != nil {
			list = append(list, obj.KeyPrefix)
		}
	}
	return list
}
