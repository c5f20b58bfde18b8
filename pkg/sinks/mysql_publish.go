package sinks

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
)

// makeLike makes the table beside the one that is replaced, like it or, when there is none, as the export is.
func (m *mySQL) makeLike(ctx context.Context, add []column) error {
	beside := m.besideName("staging")
	if len(m.before) == 0 {
		_, err := m.exec(ctx, "CREATE TABLE "+beside+" ("+m.declared(m.columns, true)+")")
		return err
	}
	// these would stay with the old table
	var lost int64
	err := m.conn.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA = ? AND EVENT_OBJECT_TABLE = ?)
		+ (SELECT count(*) FROM information_schema.KEY_COLUMN_USAGE WHERE REFERENCED_TABLE_NAME IS NOT NULL
			AND (TABLE_SCHEMA = ? AND TABLE_NAME = ? OR REFERENCED_TABLE_SCHEMA = ? AND REFERENCED_TABLE_NAME = ?))`, m.name.schema, m.name.table, m.name.schema, m.name.table, m.name.schema, m.name.table).Scan(&lost)
	if err != nil {
		return err
	}
	if lost > 0 {
		return permanent{errors.New("it has triggers or foreign keys, which do not outlive its replacement: merge instead, or drop them")}
	}
	if _, err := m.exec(ctx, "CREATE TABLE "+beside+" LIKE "+m.quoted()); err != nil {
		return err
	}
	for _, c := range add {
		if _, err := m.exec(ctx, "ALTER TABLE "+beside+" ADD COLUMN "+m.declared([]column{c}, false)); err != nil {
			return err
		}
	}
	return nil
}

func (m *mySQL) publish(ctx context.Context) error {
	now, err := m.look(ctx)
	if err != nil {
		return err
	}
	if !slices.Equal(m.before, now) {
		return permanent{fmt.Errorf("%w: somebody has changed the columns of the table meanwhile; export again", ErrDatabase)}
	}
	if m.cfg.Mode == Replace {
		return m.rename(ctx)
	}
	if err := m.single(ctx); err != nil {
		return err
	}
	if len(now) == 0 {
		return m.first(ctx)
	}
	add, err := m.compare(now)
	if err != nil {
		return err
	}
	for _, c := range add {
		if _, err := m.exec(ctx, "ALTER TABLE "+m.quoted()+" ADD COLUMN "+m.declared([]column{c}, false)); err != nil {
			return err
		}
	}
	return m.transact(ctx, "START TRANSACTION", func() error { return m.merge(ctx) })
}

// rename puts the table beside in the place of the table, in one step.
func (m *mySQL) rename(ctx context.Context) error {
	if len(m.before) == 0 {
		_, err := m.exec(ctx, "RENAME TABLE "+m.besideName("staging")+" TO "+m.quoted())
		return err
	}
	if _, err := m.exec(ctx, "RENAME TABLE "+m.quoted()+" TO "+m.besideName("old")+", "+m.besideName("staging")+" TO "+m.quoted()); err != nil {
		return err
	}
	m.exec(ctx, "DROP TABLE "+m.besideName("old")) // the new rows are there; where that fails, the next export does it
	return nil
}

// single leaves one of the staged rows with the same key. A temporary table can stand in a statement once only.
func (m *mySQL) single(ctx context.Context) error {
	var doubles int64
	if err := m.conn.QueryRowContext(ctx, "SELECT count(*) - count(DISTINCT "+m.quote(m.key.name)+") FROM "+m.stagingName()).Scan(&doubles); err != nil || doubles == 0 {
		return err // most have none, and numbering the rows takes three times as long
	}
	newer := ""
	if m.newer != nil {
		newer = m.quote(m.newer.name) + " DESC, " // null comes last
	}
	double := m.quote(m.name.schema) + ".migrate_double"
	_, err := m.exec(ctx,
		"CREATE TEMPORARY TABLE "+double+" (migrate_row bigint unsigned PRIMARY KEY)",
		"INSERT INTO "+double+" SELECT migrate_row FROM (SELECT migrate_row, row_number() OVER (PARTITION BY "+m.quote(m.key.name)+" ORDER BY "+newer+
			"migrate_row DESC) AS n FROM "+m.stagingName()+") numbered WHERE n > 1",
		"DELETE s FROM "+double+" d STRAIGHT_JOIN "+m.stagingName()+" s FORCE INDEX (PRIMARY) ON s.migrate_row = d.migrate_row")
	return err
}

// first is a merge into a table that is not there.
func (m *mySQL) first(ctx context.Context) error {
	beside := m.besideName("staging")
	if _, err := m.exec(ctx, "CREATE TABLE "+beside+" ("+m.declared(m.columns, true)+")",
		"INSERT INTO "+beside+" ("+m.theirs()+") SELECT "+m.ours()+" FROM "+m.stagingName()); err != nil {
		return err
	}
	if err := m.remove(ctx, beside, "PRIMARY"); err != nil {
		return err
	}
	return m.rename(ctx)
}

// merge overwrites the rows that are there, inserts the others, and deletes. An upsert would also overwrite rows that are the same by
// another unique index.
func (m *mySQL) merge(ctx context.Context) error {
	index := m.before[slices.IndexFunc(m.before, func(s standing) bool { return s.name == m.key.at })].index
	table := m.byKey(m.quoted(), index, "s")
	set := list(slices.DeleteFunc(slices.Clone(m.columns), func(c column) bool { return c.key }), ", ",
		func(c *column) string { return "t." + m.quote(c.at) + " = s." + m.quote(c.name) })
	if set != "" {
		update := "UPDATE " + m.stagingName() + " s STRAIGHT_JOIN " + table + " SET " + set
		if m.newer != nil {
			update += " WHERE (s." + m.quote(m.newer.name) + " < t." + m.quote(m.newer.at) + ") IS NOT TRUE"
		}
		if _, err := m.exec(ctx, update); err != nil {
			return err
		}
	}
	ours := list(m.columns, ", ", func(c *column) string { return "s." + m.quote(c.name) })
	if _, err := m.exec(ctx, "INSERT INTO "+m.quoted()+" ("+m.theirs()+") SELECT "+ours+" FROM "+m.stagingName()+" s LEFT JOIN "+table+
		" WHERE t."+m.quote(m.key.at)+" IS NULL"); err != nil {
		return err
	}
	return m.remove(ctx, m.quoted(), index)
}

// remove deletes the rows with the keys that Delete was given.
func (m *mySQL) remove(ctx context.Context, table, index string) (err error) {
	if m.deletes == 0 || m.key.typ != arrow.STRING {
		return nil
	}
	m.deleted, err = m.exec(ctx, "DELETE t FROM "+m.deletesName()+" d STRAIGHT_JOIN "+m.byKey(table, index, "d"))
	return err
}

// byKey joins a table by its key. The index is forced: while the server thinks that a young table is empty, it would read all of it for
// each row.
func (m *mySQL) byKey(table, index, to string) string {
	return table + " t FORCE INDEX (" + m.quote(index) + ") ON t." + m.quote(m.key.at) + " = " + to + "." + m.quote(m.key.name)
}
