package checkpoint

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/zeebo/xxh3"
	"modernc.org/sqlite"
)

// SQLite finds damage to the form of its file, and none to what stands in it: a digit that has changed is read as if it had been written so. A
// number of rows or the state of a job that is wrong can double rows, so each row carries a hash of its values. Triggers keep it.

// hashFunction is the name of rowHash in SQL.
const hashFunction = "row_hash_of"

func init() {
	sqlite.MustRegisterDeterministicScalarFunction(hashFunction, -1, func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
		return rowHash(args)
	})
}

// rowHash tells apart all rows that are not the same in every value and type.
func rowHash(values []driver.Value) (int64, error) {
	var text []byte
	for _, v := range values {
		switch v := v.(type) {
		case nil:
			text = append(text, 'n')
		case int64:
			text = binary.LittleEndian.AppendUint64(append(text, 'i'), uint64(v))
		case float64:
			text = binary.LittleEndian.AppendUint64(append(text, 'f'), math.Float64bits(v))
		case string:
			text = append(binary.AppendUvarint(append(text, 's'), uint64(len(v))), v...)
		case []byte:
			text = append(binary.AppendUvarint(append(text, 'b'), uint64(len(v))), v...)
		default:
			return 0, fmt.Errorf("a value of type %T in a checkpoint", v)
		}
	}
	return int64(xxh3.Hash(text)), nil
}

// table is a table with the columns that its rows' hashes are over.
type table struct{ name, columns string }

func (t table) hash(row string) string {
	return hashFunction + "(" + row + strings.ReplaceAll(t.columns, ", ", ", "+row) + ")"
}

// querier is a database or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

func tables(ctx context.Context, db querier) ([]table, error) {
	rows, err := db.QueryContext(ctx, `select m.name, group_concat(c.name, ', ' order by c.cid) from sqlite_schema m join pragma_table_info(m.name) c
		where m.type = 'table' and c.name <> 'row_hash' group by m.name order by m.name`)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(t *table) []any { return []any{&t.name, &t.columns} })
}

// makeTables makes the tables, and the triggers that hash their rows.
func makeTables(ctx context.Context, db querier) error {
	if _, err := db.ExecContext(ctx, schema); err != nil {
		return err
	}
	list, err := tables(ctx, db)
	if err != nil {
		return err
	}
	for _, t := range list {
		set := fmt.Sprintf("on %s begin update %[1]s set row_hash = %s where rowid = new.rowid; end", t.name, t.hash("new."))
		for _, statement := range []string{
			fmt.Sprintf("alter table %s add column row_hash integer", t.name),
			fmt.Sprintf("create trigger %s_inserted after insert %s", t.name, set),
			fmt.Sprintf("create trigger %s_updated after update of %s %s", t.name, t.columns, set),
		} {
			if _, err := db.ExecContext(ctx, statement); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkRows fails when a row is not what was written, or a table or trigger is not what was made.
func (s *Store) checkRows(ctx context.Context) error {
	made, err := definitions(ctx, s.db)
	var want int64
	if err == nil {
		err = s.db.QueryRowContext(ctx, "select coalesce(cast(max(definitions) as integer), 0) from run").Scan(&want)
	}
	if err != nil {
		return s.unreadable(err)
	}
	if made != want {
		return &DamagedError{Path: s.path, Err: errors.New("its tables are not those that were made")}
	}
	list, err := tables(ctx, s.db)
	if err != nil {
		return s.unreadable(err)
	}
	for _, t := range list {
		var n int
		if err := s.db.QueryRowContext(ctx, fmt.Sprintf("select count(*) from %s where row_hash is not %s", t.name, t.hash(""))).Scan(&n); err != nil {
			return s.unreadable(err)
		}
		if n > 0 {
			return &DamagedError{Path: s.path, Err: fmt.Errorf("%d rows of table %s are not what was written", n, t.name)}
		}
	}
	return nil
}

// definitions is a hash of all tables, indexes and triggers of a file.
func definitions(ctx context.Context, db querier) (int64, error) {
	rows, err := db.QueryContext(ctx, "select type || ' ' || name || ' ' || tbl_name || ' ' || coalesce(sql, '') from sqlite_schema order by rowid")
	if err != nil {
		return 0, err
	}
	list, err := collect(rows, func(s *string) []any { return []any{s} })
	return int64(xxh3.HashString(strings.Join(list, "\n"))), err
}
