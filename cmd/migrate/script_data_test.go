package main

import (
	"database/sql"
	"os"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/rogpeppe/go-internal/testscript"
	_ "modernc.org/sqlite"
)

// sqliteCommand is the command "sqlite FILE SCRIPT" of scripts: it runs the statements of a file in a database.
func sqliteCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: sqlite FILE SCRIPT")
	}
	db, err := sql.Open("sqlite", ts.MkAbs(args[0]))
	ts.Check(err)
	_, err = db.Exec(ts.ReadFile(args[1]))
	ts.Check(err)
	ts.Check(db.Close())
}

// parquetCommand is the command "parquet FILE" of scripts: it writes three accounts in columns of several types.
func parquetCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: parquet FILE")
	}
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "no", Type: arrow.PrimitiveTypes.Int64},
		{Name: "name", Type: arrow.BinaryTypes.String, Nullable: true},
		{Name: "revenue", Type: &arrow.Decimal128Type{Precision: 12, Scale: 2}, Nullable: true},
		{Name: "active", Type: arrow.FixedWidthTypes.Boolean, Nullable: true},
		{Name: "made", Type: &arrow.TimestampType{Unit: arrow.Microsecond}, Nullable: true},
		{Name: "regions", Type: arrow.ListOf(arrow.BinaryTypes.String), Nullable: true},
	}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	for i, name := range []string{"Acme", "Beta", ""} {
		b.Field(0).(*array.Int64Builder).Append(int64(i + 1))
		if name == "" {
			b.Field(1).AppendNull()
		} else {
			b.Field(1).(*array.StringBuilder).Append(name)
		}
		b.Field(2).(*array.Decimal128Builder).Append(decimal128.FromI64(int64(i+1) * 123400))
		b.Field(3).(*array.BooleanBuilder).Append(i == 0)
		b.Field(4).(*array.TimestampBuilder).Append(arrow.Timestamp(time.Date(2026, 1, 31, 12, 0, i, 0, time.UTC).UnixMicro()))
		list := b.Field(5).(*array.ListBuilder)
		list.Append(true)
		for _, r := range []string{"EMEA", "APAC"}[:2-i%3] {
			list.ValueBuilder().(*array.StringBuilder).Append(r)
		}
	}
	rows := b.NewRecordBatch()
	defer rows.Release()
	f, err := os.Create(ts.MkAbs(args[0]))
	ts.Check(err)
	w, err := pqarrow.NewFileWriter(schema, f, nil, pqarrow.DefaultWriterProps())
	ts.Check(err)
	ts.Check(w.Write(rows))
	ts.Check(w.Close())
}
