package sinks

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
)

// mysqlKey is how long a key is whose length nobody knows, in characters; an index takes no more than 768.
const mysqlKey = 255

// mysqlRow is how many bytes of varchar a table gets; 65,535 are all that a row may have. Texts that would be more are kept apart.
const mysqlRow = 40_000

func (m *mySQL) declare(c *column) string {
	switch c.typ {
	case arrow.BOOL:
		return "tinyint(1)"
	case arrow.INT64:
		return "bigint"
	case arrow.FLOAT64:
		return "double"
	case arrow.DECIMAL128:
		return fmt.Sprintf("decimal(%d,%d)", c.precision(), c.scale())
	case arrow.DATE32:
		return "date"
	case arrow.TIMESTAMP:
		return "datetime(3)"
	case arrow.TIME32:
		return "time(3)"
	}
	if c.key {
		return fmt.Sprintf("varchar(%d) CHARACTER SET utf8mb4 COLLATE %s", m.keyLength(c), m.bin)
	}
	var row int64
	for _, o := range m.columns {
		if o.length > 0 && o.length <= 255 {
			row += 4*o.length + 1
		}
	}
	switch {
	case c.length == 0 || c.length > 16383:
		return "longtext CHARACTER SET utf8mb4"
	case c.length > 255 || row > mysqlRow:
		return "text CHARACTER SET utf8mb4"
	}
	return fmt.Sprintf("varchar(%d) CHARACTER SET utf8mb4", c.length)
}

func (m *mySQL) keyLength(c *column) int64 {
	if c.length == 0 {
		return mysqlKey
	}
	return c.length
}

func (m *mySQL) look(ctx context.Context) ([]standing, error) {
	var kind string
	err := m.conn.QueryRowContext(ctx, "SELECT TABLE_TYPE FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?", m.name.schema, m.name.table).Scan(&kind)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if kind != "BASE TABLE" {
		return nil, permanent{errNoTable}
	}
	rows, err := m.conn.QueryContext(ctx, `SELECT c.COLUMN_NAME, concat_ws(' ', c.COLUMN_TYPE, c.CHARACTER_SET_NAME, c.COLLATION_NAME), lower(c.DATA_TYPE),
			coalesce(c.CHARACTER_MAXIMUM_LENGTH, c.DATETIME_PRECISION, c.NUMERIC_PRECISION, 0), coalesce(c.NUMERIC_SCALE, 0),
			c.DATA_TYPE LIKE '%text', coalesce(c.COLLATION_NAME, ''),
			c.IS_NULLABLE = 'NO' AND c.COLUMN_DEFAULT IS NULL AND c.EXTRA NOT LIKE '%auto_increment%' AND c.EXTRA NOT LIKE '%GENERATED%',
			coalesce((SELECT s.INDEX_NAME FROM information_schema.STATISTICS s WHERE s.TABLE_SCHEMA = c.TABLE_SCHEMA AND s.TABLE_NAME = c.TABLE_NAME AND s.NON_UNIQUE = 0
				GROUP BY s.INDEX_NAME HAVING count(*) = 1 AND max(s.COLUMN_NAME) = c.COLUMN_NAME AND max(s.SUB_PART) IS NULL
				ORDER BY s.INDEX_NAME = 'PRIMARY' DESC LIMIT 1), '')
		FROM information_schema.COLUMNS c WHERE c.TABLE_SCHEMA = ? AND c.TABLE_NAME = ? ORDER BY c.ORDINAL_POSITION`, m.name.schema, m.name.table)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var table []standing
	for rows.Next() {
		var s standing
		if err := rows.Scan(&s.name, &s.typ, &s.base, &s.size, &s.scale, &s.bytes, &s.collated, &s.required, &s.index); err != nil {
			return nil, err
		}
		s.unique = s.index != ""
		table = append(table, s)
	}
	return table, rows.Err()
}

func (m *mySQL) fits(c *column, s standing) bool {
	unsigned := strings.Contains(s.typ, "unsigned")
	switch c.typ {
	case arrow.BOOL:
		return s.base == "tinyint" || s.base == "smallint" || s.base == "int" || s.base == "bigint"
	case arrow.INT64:
		return (s.base == "bigint" || s.base == "int") && !unsigned // too large a number is refused, not changed
	case arrow.FLOAT64:
		return s.base == "double" && !strings.Contains(s.typ, "(") && !unsigned
	case arrow.DECIMAL128:
		return s.base == "decimal" && s.scale >= c.scale() && s.size-s.scale >= c.precision()-c.scale() && !unsigned
	case arrow.DATE32:
		return s.base == "date"
	case arrow.TIMESTAMP:
		return (s.base == "datetime" || s.base == "timestamp") && s.size >= 3
	case arrow.TIME32:
		return s.base == "time" && s.size >= 3
	}
	if !strings.HasPrefix(s.collated, "utf8mb4_") {
		return false
	}
	if c.key { // 001A and 001a are two records
		return s.base == "varchar" && s.size >= m.keyLength(c) && (strings.HasSuffix(s.collated, "_bin") || strings.HasSuffix(s.collated, "_cs"))
	}
	if s.bytes {
		return s.base == "mediumtext" || s.base == "longtext" || c.length > 0 && s.size >= 4*c.length
	}
	return s.base == "varchar" && c.length > 0 && s.size >= c.length
}
