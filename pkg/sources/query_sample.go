package sources

import (
	"fmt"
	"strings"
)

// Head is the query of the first rows of a table, in the language of the database; which rows are the first, the database decides.
// DSN and Name stay.
func (q Query) Head(table string, rows int64) Query {
	kind, _, _ := strings.Cut(q.DSN, ":")
	switch kind {
	case "sqlserver":
		q.SQL = fmt.Sprintf("select top %d * from %s", rows, table)
	case "oracle":
		q.SQL = fmt.Sprintf("select * from %s fetch first %d rows only", table, rows)
	default:
		q.SQL = fmt.Sprintf("select * from %s limit %d", table, rows)
	}
	return q
}

// HeadOf is the query of the first rows of this one's; which rows are the first, the database decides.
func (q Query) HeadOf(rows int64) Query { return q.Head(q.derived(), rows) }
