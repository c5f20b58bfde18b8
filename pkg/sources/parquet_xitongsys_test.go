package sources_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/google/go-cmp/cmp"
	pq "github.com/xitongsys/parquet-go/parquet"
	"github.com/xitongsys/parquet-go/reader"
	"github.com/xitongsys/parquet-go/source"
	"github.com/xitongsys/parquet-go/types"
	"github.com/xitongsys/parquet-go/writer"

	"migrate/pkg/sources"
	"migrate/pkg/sources/sourcetest"
)

// localFile is a file as xitongsys/parquet-go wants it.
type localFile struct{ *os.File }

func (f localFile) Open(name string) (source.ParquetFile, error) {
	if name == "" {
		name = f.Name()
	}
	g, err := os.Open(name)
	return localFile{g}, err
}

func (f localFile) Create(name string) (source.ParquetFile, error) {
	g, err := os.Create(name)
	return localFile{g}, err
}

type xiPlace struct {
	City  *string  `parquet:"name=city, type=BYTE_ARRAY, convertedtype=UTF8"`
	Names []string `parquet:"name=names, type=MAP, convertedtype=LIST, valuetype=BYTE_ARRAY, valueconvertedtype=UTF8"`
}

// xiRow has a column of each type that xitongsys/parquet-go writes.
type xiRow struct {
	Bool      *bool    `parquet:"name=bool, type=BOOLEAN"`
	Int8      *int32   `parquet:"name=int8, type=INT32, convertedtype=INT_8"`
	Int16     *int32   `parquet:"name=int16, type=INT32, convertedtype=INT_16"`
	Int32     *int32   `parquet:"name=int32, type=INT32, convertedtype=INT_32"`
	Int64     *int64   `parquet:"name=int64, type=INT64, convertedtype=INT_64"`
	Uint8     *int32   `parquet:"name=uint8, type=INT32, convertedtype=UINT_8"`
	Uint16    *int32   `parquet:"name=uint16, type=INT32, convertedtype=UINT_16"`
	Uint32    *int32   `parquet:"name=uint32, type=INT32, convertedtype=UINT_32"`
	Uint64    *int64   `parquet:"name=uint64, type=INT64, convertedtype=UINT_64"`
	Bare      int64    `parquet:"name=bare, type=INT64, encoding=DELTA_BINARY_PACKED"`
	Float     *float32 `parquet:"name=float, type=FLOAT"`
	Double    *float64 `parquet:"name=double, type=DOUBLE"`
	Text      *string  `parquet:"name=text, type=BYTE_ARRAY, convertedtype=UTF8"`
	Dict      string   `parquet:"name=dict, type=BYTE_ARRAY, convertedtype=UTF8, encoding=PLAIN_DICTIONARY"`
	DeltaText string   `parquet:"name=delta_text, type=BYTE_ARRAY, convertedtype=UTF8, encoding=DELTA_BYTE_ARRAY"`
	DeltaLen  string   `parquet:"name=delta_len, type=BYTE_ARRAY, convertedtype=UTF8, encoding=DELTA_LENGTH_BYTE_ARRAY"`
	Bytes     *string  `parquet:"name=bytes, type=BYTE_ARRAY"`
	Fixed     *string  `parquet:"name=fixed, type=FIXED_LEN_BYTE_ARRAY, length=3"`
	Date      *int32   `parquet:"name=date, type=INT32, convertedtype=DATE"`
	TimeMS    *int32   `parquet:"name=time_ms, type=INT32, convertedtype=TIME_MILLIS"`
	TimeUS    *int64   `parquet:"name=time_us, type=INT64, convertedtype=TIME_MICROS"`
	AtMS      *int64   `parquet:"name=at_ms, type=INT64, convertedtype=TIMESTAMP_MILLIS"`
	AtUS      *int64   `parquet:"name=at_us, type=INT64, convertedtype=TIMESTAMP_MICROS, isadjustedtoutc=true"`
	AtNS      *int64   `parquet:"name=at_ns, type=INT64, logicaltype=TIMESTAMP, logicaltype.isadjustedtoutc=false, logicaltype.unit=NANOS"`
	Int96     *string  `parquet:"name=int96, type=INT96"`
	Dec32     *int32   `parquet:"name=dec32, type=INT32, convertedtype=DECIMAL, scale=2, precision=9"`
	Dec64     *int64   `parquet:"name=dec64, type=INT64, convertedtype=DECIMAL, scale=2, precision=18"`
	DecFixed  *string  `parquet:"name=dec_fixed, type=FIXED_LEN_BYTE_ARRAY, convertedtype=DECIMAL, scale=2, precision=10, length=12"`
	DecBytes  *string  `parquet:"name=dec_bytes, type=BYTE_ARRAY, convertedtype=DECIMAL, scale=2, precision=20"`
	JSON      *string  `parquet:"name=json, type=BYTE_ARRAY, convertedtype=JSON"`
	List      []int64  `parquet:"name=list, type=MAP, convertedtype=LIST, valuetype=INT64"`
	Repeated  []int32  `parquet:"name=repeated, type=INT32, repetitiontype=REPEATED"`
	Place     *xiPlace `parquet:"name=place"`
}

func ptr[T any](v T) *T { return &v }

// xiRows are rows and what the source should make of them.
func xiRows(n int) (rows []xiRow, want [][]string) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 123456789, time.UTC)
	for i := range n {
		t := at.Add(time.Duration(i) * time.Hour)
		r := xiRow{Bare: int64(i * i), Dict: fmt.Sprint("k", i%3), DeltaText: fmt.Sprint("prefix", i), DeltaLen: fmt.Sprint("ä", i), List: []int64{}, Repeated: []int32{}}
		null := i%4 == 3
		text := func(s string) string {
			if null {
				return "NULL"
			}
			return s
		}
		if !null {
			r.Bool, r.Int8, r.Int16, r.Int32, r.Int64 = ptr(i%2 == 0), ptr(int32(-i)), ptr(int32(-i*100)), ptr(int32(-i*100000)), ptr(int64(-i)<<40)
			r.Uint8, r.Uint16, r.Uint32, r.Uint64 = ptr(int32(255-i)), ptr(int32(65535-i)), ptr(int32(-1-i)), ptr(int64(-1-i))
			r.Float, r.Double = ptr(float32(i)/3), ptr(float64(i)/3)
			r.Text, r.Bytes, r.Fixed = ptr(fmt.Sprint("€ ", i)), ptr("\x00\xff"), ptr("\x00\xff\x00")
			r.Date, r.TimeMS, r.TimeUS = ptr(int32(t.Unix()/86400)), ptr(int32(3723004)), ptr(int64(3723000004))
			r.AtMS, r.AtUS, r.AtNS, r.Int96 = ptr(t.UnixMilli()), ptr(t.UnixMicro()), ptr(t.UnixNano()), ptr(types.TimeToINT96(t))
			r.Dec32, r.Dec64 = ptr(int32(-12345)), ptr(int64(1234567890123))
			r.DecFixed, r.DecBytes = ptr(types.StrIntToBinary("-12345", "BigEndian", 12, true)), ptr(types.StrIntToBinary("12345", "BigEndian", 0, true))
			r.JSON = ptr(`{"a":1}`)
			for k := range i % 3 {
				r.List, r.Repeated = append(r.List, int64(k)), append(r.Repeated, int32(-k))
			}
			r.Place = &xiPlace{City: ptr("Köln"), Names: []string{"x", ""}}
		}
		rows = append(rows, r)
		list, repeated := [3]string{"[]", "[0]", "[0,1]"}[i%3], [3]string{"[]", "[0]", "[0,-1]"}[i%3]
		if null {
			list, repeated = "[]", "[]" // the library makes no difference between an empty list and none
		}
		want = append(want, []string{
			text(fmt.Sprint(i%2 == 0)), text(fmt.Sprint(-i)), text(fmt.Sprint(-i * 100)), text(fmt.Sprint(-i * 100000)), text(fmt.Sprint(int64(-i) << 40)),
			text(fmt.Sprint(255 - i)), text(fmt.Sprint(65535 - i)), text(fmt.Sprint(uint32(1<<32 - 1 - i))), text(fmt.Sprint(uint64(1<<64-1) - uint64(i))),
			fmt.Sprint(i * i), text(fmt.Sprint(float32(i) / 3)), text(fmt.Sprint(float64(i) / 3)),
			text(fmt.Sprint("€ ", i)), r.Dict, r.DeltaText, r.DeltaLen, text("AP8="), text("AP8A"),
			text(t.Format(time.DateOnly)), text("01:02:03.004"), text("01:02:03.000004"),
			text(t.Format("2006-01-02T15:04:05.000")), text(t.Format("2006-01-02T15:04:05.000000Z")), text(t.Format("2006-01-02T15:04:05.000000000")), text(t.Format("2006-01-02T15:04:05.000000")),
			text("-123.45"), text("12345678901.23"), text("-123.45"), text("123.45"), text(`{"a":1}`),
			list, repeated, text("Köln"), text(`["x",""]`),
		})
	}
	return rows, want
}

// Files that xitongsys/parquet-go wrote are read as they were meant.
func TestParquetFromXitongsys(t *testing.T) {
	t.Parallel()
	rows, want := xiRows(40)
	for _, codec := range []pq.CompressionCodec{pq.CompressionCodec_UNCOMPRESSED, pq.CompressionCodec_SNAPPY, pq.CompressionCodec_GZIP, pq.CompressionCodec_ZSTD} {
		path := filepath.Join(t.TempDir(), "x.parquet")
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		w, err := writer.NewParquetWriter(localFile{f}, new(xiRow), 1)
		if err != nil {
			t.Fatal(err)
		}
		w.CompressionType, w.PageSize = codec, 256
		for i, r := range rows {
			if err := w.Write(r); err != nil {
				t.Fatal(err)
			}
			if i == 20 {
				if err := w.Flush(true); err != nil { // a row group
					t.Fatal(err)
				}
			}
		}
		if err := w.WriteStop(); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		src := openParquet(t, path, sources.ParquetOptions{})
		var got [][]string
		for _, r := range readAll(t, src) {
			got = append(got, r.Fields)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%v: %v\n(-written +read):\n%s", codec, src.Schema(), d)
		}
		sourcetest.Run(t, parquetOpener([]string{path}, sources.ParquetOptions{SplitRows: 1}))
	}
}

// xitongsys/parquet-go finds in the files of our tests what we find there: the tests do not deceive themselves.
func TestParquetAlsoByXitongsys(t *testing.T) {
	t.Parallel()
	const rows = 40
	for _, name := range []string{"plain", "dictionary", "v2 zstd", "small gzip"} {
		cols := everyType()
		f, err := os.Open(writeParquet(t, cols, rows, 17, layouts[name]...))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		r, err := reader.NewParquetColumnReader(localFile{f}, 1)
		if err != nil {
			t.Fatal(err)
		}
		defer r.ReadStop()
		for k, c := range cols {
			vals, reps, defs, err := r.ReadColumnByIndex(int64(k), 10*rows)
			if err != nil {
				t.Errorf("%s, %s: %v", name, c.node.Name(), err)
				continue
			}
			var want []string
			for i := range rows {
				switch v := c.row(i).(type) {
				case nil, nullAt:
				case []any:
					for _, e := range v {
						if e != nil {
							want = append(want, physical(e))
						}
					}
				default:
					want = append(want, physical(v))
				}
			}
			var got []string
			starts := 0
			for i, v := range vals {
				if reps[i] == 0 {
					starts++
				}
				if v != nil {
					got = append(got, physical(v))
				}
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("%s, %s (-written +read by xitongsys):\n%s", name, c.node.Name(), d)
			}
			if starts != rows || len(defs) != len(vals) {
				t.Errorf("%s, %s: %d rows, want %d", name, c.node.Name(), starts, rows)
			}
		}
	}
}

// physical shows a value as it is stored, whichever library gave it.
func physical(v any) string {
	switch v := v.(type) {
	case parquet.ByteArray:
		return fmt.Sprintf("%q", string(v))
	case parquet.FixedLenByteArray:
		return fmt.Sprintf("%q", string(v))
	case parquet.Int96:
		return fmt.Sprintf("%q", string(v[:]))
	case string:
		return fmt.Sprintf("%q", v)
	}
	return fmt.Sprint(v)
}
