package sinks

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
)

// What PostgreSQL and SQLite do alike, in a transaction.

// exchange removes the rows of the table and puts in those of the staging table.
func (t *Table) exchange(ctx context.Context) error {
	if _, err := t.exec(ctx, "DELETE FROM "+t.quoted()); err != nil {
		return err
	}
	n, err := t.exec(ctx, "INSERT INTO "+t.quoted()+" ("+t.theirs()+") SELECT "+t.ours()+" FROM "+t.way.stagingName())
	if err == nil && n != t.rows {
		err = fmt.Errorf("the table took %d of %d rows", n, t.rows)
	}
	return err
}

// upsert adds rows or overwrites those with the same key, then deletes.
func (t *Table) upsert(ctx context.Context) error {
	rest := slices.DeleteFunc(slices.Clone(t.columns), func(c column) bool { return c.key })
	action := "NOTHING"
	if len(rest) > 0 {
		action = "UPDATE SET " + list(rest, ", ", func(c *column) string { return t.way.quote(c.at) + " = excluded." + t.way.quote(c.at) })
		if t.newer != nil {
			at := t.way.quote(t.newer.at)
			action += " WHERE (excluded." + at + " < migrate_table." + at + ") IS NOT TRUE"
		}
	}
	// SQLite takes ON for a join without the WHERE
	_, err := t.exec(ctx, "INSERT INTO "+t.quoted()+" AS migrate_table ("+t.theirs()+") SELECT "+t.ours()+" FROM "+t.way.stagingName()+
		" WHERE true ON CONFLICT ("+t.way.quote(t.key.at)+") DO "+action)
	if err != nil || t.key.typ != arrow.STRING || t.deletes == 0 {
		return err
	}
	t.deleted, err = t.exec(ctx, "DELETE FROM "+t.quoted()+" WHERE "+t.way.quote(t.key.at)+" IN (SELECT "+t.way.quote(t.key.name)+" FROM "+t.way.deletesName()+")")
	return err
}

// ours are the columns in the staging table, theirs the same in the table.
func (t *Table) ours() string {
	return list(t.columns, ", ", func(c *column) string { return t.way.quote(c.name) })
}

func (t *Table) theirs() string {
	return list(t.columns, ", ", func(c *column) string { return t.way.quote(c.at) })
}

// doubled quotes a name as SQL does: with a sign on both sides, which is doubled within.
func doubled(name, sign string) string {
	return sign + strings.ReplaceAll(name, sign, sign+sign) + sign
}
