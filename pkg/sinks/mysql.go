package sinks

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/go-sql-driver/mysql"
)

// mySQL is MySQL from 8.0 and MariaDB from 10.6 on. It loads with LOAD DATA LOCAL INFILE, or where the server forbids that, with
// INSERT. A merge is one transaction over a temporary table. A replacement is loaded into a table beside the other one, under whose
// name it is then put: a transaction over all rows of a big table would take the server's undo log far.
type mySQL struct {
	*Table
	insert *inserter // nil: LOAD DATA
	reader string    // the name of the reader that LOAD DATA asks for
	lines  *textReader
	before []standing // the table at the beginning; none: it was not there
	bin    string     // a collation that tells all texts apart
	locked bool       // the tables beside are this export's
}

// readers numbers the names of readers, which the driver keeps for the whole process.
var readers atomic.Int64

func (m *mySQL) open() (*sql.DB, error) {
	db, err := m.dsn.OpenMySQL(map[string]string{
		"charset": "utf8mb4", "time_zone": "'+00:00'",
		"sql_mode":        "'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO'",
		"max_error_count": "64", "sql_notes": "1", // LOAD DATA LOCAL tells what it has changed in warnings and notes
		"sql_safe_updates": "0",
		"wait_timeout":     "86400", "net_read_timeout": "600", "net_write_timeout": "600", // in seconds; pages may come slowly
	})
	if err != nil {
		return nil, permanent{err}
	}
	return db, nil
}

func (m *mySQL) begin(ctx context.Context) (err error) {
	if err := m.checkName(); err != nil {
		return err
	}
	if m.name.schema == "" {
		if err := m.conn.QueryRowContext(ctx, "SELECT coalesce(database(), '')").Scan(&m.name.schema); err != nil {
			return err
		}
		if m.name.schema == "" {
			return permanent{errors.New("the address names no database: add it, or name the table with it")}
		}
	}
	if !m.cfg.look {
		if err := m.lock(ctx); err != nil {
			return err
		}
	}
	// the best there is: those without pad know the spaces at the end of a text
	err = m.conn.QueryRowContext(ctx, `SELECT COLLATION_NAME FROM information_schema.COLLATIONS WHERE COLLATION_NAME IN ('utf8mb4_bin', 'utf8mb4_nopad_bin', 'utf8mb4_0900_bin')
		ORDER BY COLLATION_NAME = 'utf8mb4_bin' LIMIT 1`).Scan(&m.bin)
	if err != nil {
		return err
	}
	if !m.cfg.look {
		if err := m.clear(ctx); err != nil {
			return err
		}
	}
	if m.before, err = m.look(ctx); err != nil {
		return err
	}
	var add []column
	if len(m.before) > 0 {
		if add, err = m.compare(m.before); err != nil {
			return err
		}
		if i := slices.IndexFunc(m.before, func(s standing) bool { return m.key != nil && s.name == m.key.at }); i >= 0 && m.before[i].collated != "" {
			m.bin = m.before[i].collated // two different ones cannot be compared
		}
	}
	if m.cfg.look {
		return nil
	}
	if m.cfg.Mode == Replace {
		if err := m.makeLike(ctx, add); err != nil {
			return err
		}
	} else if _, err := m.exec(ctx, "CREATE TEMPORARY TABLE "+m.stagingName()+" (migrate_row bigint unsigned AUTO_INCREMENT PRIMARY KEY, "+
		list(m.columns, ", ", func(c *column) string { return m.quote(c.name) + " " + m.declare(c) })+")",
		"CREATE TEMPORARY TABLE "+m.deletesName()+" ("+m.quote(m.key.name)+" "+m.declare(m.key)+")"); err != nil {
		return err
	}
	return m.tryLoadData(ctx)
}

// lock keeps other exports away from the table and from the one beside it. The lock ends with the connection; that of an export that
// was killed may live on for a moment.
func (m *mySQL) lock(ctx context.Context) error {
	var locked sql.NullInt64
	name := fmt.Sprintf("migrate %x", sha256.Sum256([]byte(m.quoted())))[:60]
	if err := m.conn.QueryRowContext(ctx, "SELECT get_lock(?, 10)", name).Scan(&locked); err != nil {
		return err
	}
	if m.locked = locked.Int64 == 1; !m.locked {
		return permanent{fmt.Errorf("%w: another export writes to it; wait until it has ended", ErrDatabase)}
	}
	return nil
}

// clear removes what an export that was killed has left. A server that does not rename several tables at once may have lost the one
// that is replaced: it comes back.
func (m *mySQL) clear(ctx context.Context) error {
	if there, err := m.exists(ctx, m.beside("old")); err != nil {
		return err
	} else if there {
		statement := "DROP TABLE " + m.besideName("old")
		if there, err := m.exists(ctx, m.name.table); err != nil {
			return err
		} else if !there {
			statement = "RENAME TABLE " + m.besideName("old") + " TO " + m.quoted()
		}
		if _, err := m.exec(ctx, statement); err != nil {
			return err
		}
	}
	_, err := m.exec(ctx, "DROP TABLE IF EXISTS "+m.besideName("staging"))
	return err
}

func (m *mySQL) exists(ctx context.Context, table string) (there bool, err error) {
	err = m.conn.QueryRowContext(ctx, "SELECT count(*) > 0 FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?", m.name.schema, table).Scan(&there)
	return there, err
}

// beside is the name of a table beside the one that is written to.
func (m *mySQL) beside(what string) string {
	name := "migrate_" + what + "_" + m.name.table
	if len(name) > m.maxName() {
		sum := fmt.Sprintf("%x", sha256.Sum256([]byte(name)))
		name = "migrate_" + what + "_" + sum[:40]
	}
	return name
}

func (m *mySQL) besideName(what string) string {
	return m.quote(m.name.schema) + "." + m.quote(m.beside(what))
}

// tryLoadData asks the server to load nothing, which it may refuse.
func (m *mySQL) tryLoadData(ctx context.Context) error {
	m.reader = fmt.Sprintf("migrate-%d", readers.Add(1))
	mysql.RegisterReaderHandler(m.reader, func() io.Reader { return m.lines })
	m.lines = &textReader{}
	_, err := m.exec(ctx, m.loadData(staging{m.stagingName(), m.columns, 0}))
	// the commands are not allowed, by the server or in its opinion by the client
	if my := (*mysql.MySQLError)(nil); errors.As(err, &my) && slices.Contains([]uint16{1148, 1235, 1227, 1290, 3948, 4166}, my.Number) {
		m.insert = &inserter{limits: limits{nul: true}, values: 2000}
		m.tell("table %s: the server forbids LOAD DATA LOCAL INFILE (local_infile), so rows are inserted, which is slower", m.cfg.Table)
		return nil
	}
	return err
}

func (m *mySQL) loadData(into staging) string {
	return "LOAD DATA LOCAL INFILE 'Reader::" + m.reader + "' INTO TABLE " + into.name +
		` CHARACTER SET utf8mb4 FIELDS TERMINATED BY '\t' ENCLOSED BY '' ESCAPED BY '\\' LINES TERMINATED BY '\n' (` +
		list(into.columns, ", ", func(c *column) string { return m.quote(c.name) }) + ")"
}

func (m *mySQL) stagingName() string {
	if m.cfg.Mode == Replace {
		return m.besideName("staging")
	}
	return m.quote(m.name.schema) + ".migrate_staging"
}

func (m *mySQL) deletesName() string      { return m.quote(m.name.schema) + ".migrate_deletes" }
func (m *mySQL) quote(name string) string { return doubled(name, "`") }
func (m *mySQL) maxName() int             { return 64 }

func (m *mySQL) load(ctx context.Context, into staging, rows arrow.RecordBatch) error {
	if m.cfg.Mode == Replace { // the columns have the names of the table that is replaced
		into.columns = slices.Clone(into.columns)
		for i := range into.columns {
			into.columns[i].name = into.columns[i].at
		}
	}
	if m.insert != nil {
		return m.insert.load(ctx, m.Table, into, rows)
	}
	m.lines = &textReader{limits: limits{nul: true}, staging: into, rows: rows}
	n, err := m.exec(ctx, m.loadData(into))
	if m.lines.err != nil {
		return m.lines.err
	}
	if err != nil {
		return err
	}
	// With LOCAL, what is an error elsewhere is a warning: rows are left out, values are changed.
	var level, message string
	var code int
	err = m.conn.QueryRowContext(ctx, "SHOW WARNINGS LIMIT 1").Scan(&level, &code, &message)
	switch {
	case err == nil:
		return permanent{fmt.Errorf("%w: rows %d to %d of the export: %s (%d)", ErrValue, into.offset+1, into.offset+rows.NumRows(), message, code)}
	case !errors.Is(err, sql.ErrNoRows):
		return err
	case n != rows.NumRows():
		return fmt.Errorf("LOAD DATA took %d of %d rows", n, rows.NumRows())
	}
	return nil
}

func (m *mySQL) end(ctx context.Context) {
	if m.insert != nil {
		m.insert.close()
	}
	if m.reader != "" {
		mysql.DeregisterReaderHandler(m.reader)
	}
	if m.locked {
		m.exec(ctx, "DROP TABLE IF EXISTS "+m.besideName("staging")) // where that fails, the next export does it
	}
}
