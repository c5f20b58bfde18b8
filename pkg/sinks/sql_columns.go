package sinks

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
)

// MetaLength is the metadata of a text field that says how many characters its values have at most.
const MetaLength = "length"

// column is one of an export.
type column struct {
	name   string // in the export
	at     string // in the table
	field  arrow.Field
	typ    arrow.Type
	length int64 // of text in characters; 0 = unknown
	key    bool
}

// precision and scale are those of a decimal.
func (c *column) precision() int64 { return int64(c.field.Type.(*arrow.Decimal128Type).Precision) }
func (c *column) scale() int64     { return int64(c.field.Type.(*arrow.Decimal128Type).Scale) }

// standing is a column of a table that is there.
type standing struct {
	name     string
	typ      string // as it was declared, for messages
	base     string // without its numbers
	size     int64  // characters or bytes of text, digits of a number, digits of a second; -1 = not limited
	scale    int64
	bytes    bool   // size counts bytes
	collated string // collation, where that matters
	required bool   // must be given: not null, and nothing fills it
	unique   bool   // the only column of a unique index
	index    string // the name of that, where it matters
}

// readSchema takes the columns from the schema, and refuses what no database takes.
func (t *Table) readSchema() error {
	key := t.cfg.Key
	if key == "" {
		key = "Id"
	}
	seen := map[string]string{}
	for _, f := range t.cfg.Schema.Fields() {
		c := column{name: f.Name, at: f.Name, field: f, typ: f.Type.ID(), key: strings.EqualFold(f.Name, key)}
		if other, ok := seen[strings.ToLower(f.Name)]; ok {
			return fmt.Errorf("%w: the export has the columns %s and %s, which a database does not tell apart", ErrSchema, other, f.Name)
		}
		seen[strings.ToLower(f.Name)] = f.Name
		if f.Name == "" || strings.Contains(f.Name, "\x00") || len(f.Name) > t.way.maxName() {
			return fmt.Errorf("%w: %q cannot be the name of a column: it has more than %d bytes, or none", ErrSchema, f.Name, t.way.maxName())
		}
		if length, ok := f.Metadata.GetValue(MetaLength); ok {
			n, err := strconv.ParseInt(length, 10, 64)
			if err != nil || n < 0 {
				return fmt.Errorf("%w: the metadata of column %s has the length %q, which is none", ErrSchema, f.Name, length)
			}
			c.length = n
		}
		if !known(f.Type) {
			return fmt.Errorf("%w: column %s has the type %s, for which there is no column", ErrSchema, f.Name, f.Type)
		}
		t.columns = append(t.columns, c)
	}
	for i := range t.columns {
		c := &t.columns[i]
		if c.key {
			t.key = c
		}
		if t.cfg.Newer != "" && strings.EqualFold(c.name, t.cfg.Newer) {
			t.newer = c
		}
	}
	switch {
	case len(t.columns) == 0:
		return fmt.Errorf("%w: the export has no columns", ErrSchema)
	case t.cfg.Mode == Merge && t.key == nil:
		return fmt.Errorf("%w: a merge needs the column %s, by which rows are told apart, and the export does not have it", ErrSchema, key)
	case t.key != nil && t.key.typ != arrow.STRING && t.key.typ != arrow.INT64:
		return fmt.Errorf("%w: the key %s must be text or a whole number", ErrSchema, t.key.name)
	case t.cfg.Newer != "" && t.newer == nil:
		return fmt.Errorf("%w: the export does not have the column %s, which tells the newer row", ErrSchema, t.cfg.Newer)
	case t.newer != nil && !slices.Contains([]arrow.Type{arrow.TIMESTAMP, arrow.DATE32, arrow.INT64}, t.newer.typ):
		return fmt.Errorf("%w: %s must be a time, a date or a whole number to tell the newer row", ErrSchema, t.newer.name)
	}
	return nil
}

func known(t arrow.DataType) bool {
	switch t := t.(type) {
	case *arrow.StringType, *arrow.BooleanType, *arrow.Int64Type, *arrow.Float64Type, *arrow.Date32Type:
		return true
	case *arrow.Decimal128Type:
		return t.Scale >= 0 && t.Scale <= t.Precision && t.Precision <= 38
	case *arrow.TimestampType:
		return t.Unit == arrow.Millisecond && t.TimeZone == "UTC"
	case *arrow.Time32Type:
		return t.Unit == arrow.Millisecond
	}
	return false
}

// compare finds the columns of the export in the table, whatever case their names are in. It returns those that must be added, or an
// error that names all differences.
func (t *Table) compare(table []standing) (add []column, err error) {
	var faults, missing []string
	taken := map[string]bool{}
	for i := range t.columns {
		c := &t.columns[i]
		j := slices.IndexFunc(table, func(s standing) bool { return s.name == c.name })
		if j < 0 {
			j = slices.IndexFunc(table, func(s standing) bool { return strings.EqualFold(s.name, c.name) })
		}
		if j < 0 {
			missing = append(missing, t.way.quote(c.name)+" "+t.way.declare(c))
			c.at = c.name
			add = append(add, *c)
			continue
		}
		s := table[j]
		c.at = s.name
		taken[s.name] = true
		if !t.way.fits(c, s) {
			faults = append(faults, fmt.Sprintf("column %s is %s, and values of type %s need %s: change its type, or leave the field out of the export",
				s.name, s.typ, c.field.Type, t.way.declare(c)))
		}
		if c.key && t.cfg.Mode == Merge && !s.unique {
			faults = append(faults, fmt.Sprintf("a merge by %s needs a primary key or a unique index on that column alone: make one", s.name))
		}
	}
	for _, s := range table {
		if s.required && !taken[s.name] {
			faults = append(faults, fmt.Sprintf("column %s is not in the export, must not be null and has no default: give it one, or drop it", s.name))
		}
	}
	if len(missing) > 0 && t.cfg.Drift == Fail {
		faults = append(faults, fmt.Sprintf("the table does not have %s: add the columns, or have them added", strings.Join(missing, ", ")))
	}
	if t.key != nil && slices.ContainsFunc(add, func(c column) bool { return c.key }) && t.cfg.Mode == Merge {
		faults = append(faults, fmt.Sprintf("a merge by %s needs that column in the table, with a unique index", t.key.name))
	}
	if len(faults) > 0 {
		return nil, permanent{fmt.Errorf("%w: %s", ErrSchema, strings.Join(faults, "; "))}
	}
	return add, nil
}

// declared are the columns as they stand in CREATE TABLE, with the key when the table is to have one.
func (t *Table) declared(columns []column, key bool) string {
	text := list(columns, ", ", func(c *column) string {
		if c.key && key {
			return t.way.quote(c.at) + " " + t.way.declare(c) + " NOT NULL"
		}
		return t.way.quote(c.at) + " " + t.way.declare(c)
	})
	if key && t.key != nil {
		text += ", PRIMARY KEY (" + t.way.quote(t.key.at) + ")"
	}
	return text
}

// tableName is the name of a table in its schema.
type tableName struct{ schema, table string }

// parseTableName reads table, schema.table, or either of them in double quotes.
func parseTableName(text string) (tableName, error) {
	wrong := fmt.Errorf("%q is no name of a table: account, sales.account or \"odd.schema\".\"odd.table\"", text)
	var parts []string
	for rest := text; ; {
		var part strings.Builder
		if quoted, ok := strings.CutPrefix(rest, `"`); ok {
			for rest = quoted; ; {
				i := strings.IndexByte(rest, '"')
				if i < 0 {
					return tableName{}, wrong
				}
				part.WriteString(rest[:i])
				if rest = rest[i+1:]; !strings.HasPrefix(rest, `"`) {
					break
				}
				part.WriteByte('"')
				rest = rest[1:]
			}
		} else {
			i := strings.IndexByte(rest, '.')
			if i < 0 {
				i = len(rest)
			}
			part.WriteString(rest[:i])
			rest = rest[i:]
		}
		parts = append(parts, part.String())
		if rest == "" {
			break
		}
		if rest[0] != '.' {
			return tableName{}, wrong
		}
		rest = rest[1:]
	}
	if len(parts) > 2 || slices.ContainsFunc(parts, func(p string) bool { return p == "" || strings.Contains(p, "\x00") }) {
		return tableName{}, wrong
	}
	if len(parts) == 2 {
		return tableName{parts[0], parts[1]}, nil
	}
	return tableName{table: parts[0]}, nil
}

// checkName refuses a name of a table that the database would cut.
func (t *Table) checkName() error {
	if n := t.way.maxName(); len(t.name.table) > n || len(t.name.schema) > n {
		return permanent{fmt.Errorf("a name of a table has at most %d bytes", n)}
	}
	return nil
}

// quoted is the table as it stands in a statement.
func (t *Table) quoted() string {
	if t.name.schema == "" {
		return t.way.quote(t.name.table)
	}
	return t.way.quote(t.name.schema) + "." + t.way.quote(t.name.table)
}

var errNoTable = errors.New("it is not a table")
