package sources

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/file"
)

const (
	largestFooter    = 256 << 20 // bytes
	parquetBuffer    = 64 << 10  // bytes read at once from each column
	parquetMagic     = "PAR1"
	parquetEncrypted = "PARE"
)

// parquetFile is a Parquet file whose footer was read and found sound.
type parquetFile struct {
	path    string
	reader  *file.Reader
	columns []parquetField
	starts  []int64 // of each row group: its first row in the file; and the number of rows at the end
}

func (f *parquetFile) schema() *arrow.Schema {
	fields := make([]arrow.Field, len(f.columns))
	for i, c := range f.columns {
		fields[i] = arrow.Field{Name: c.name, Type: c.typ, Nullable: true}
	}
	return arrow.NewSchema(fields, nil)
}

// readFooter reads what the file says about itself and checks it as far as it can be checked without the data.
func readFooter(f *os.File, path string, size int64, columns []string, binaryAsText bool) (pf *parquetFile, err error) {
	defer recoverParquet(path, "its footer", &err)
	if err := checkMagic(f, size); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	props := parquet.NewReaderProperties(memory.NewGoAllocator())
	props.BufferedStreamEnabled = true // pages are read one by one, not a whole row group at once
	props.BufferSize = parquetBuffer
	r, err := file.NewParquetReader(f, file.WithReadProps(props))
	if err != nil {
		return nil, fmt.Errorf("%s: the footer, in which a Parquet file says what it holds, cannot be read; the file is damaged, make it again: %w", path, err)
	}
	pf = &parquetFile{path: path, reader: r}
	if pf.columns, err = parquetFields(r.MetaData().Schema, columns, binaryAsText); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := pf.checkGroups(size); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return pf, nil
}

func checkMagic(f io.ReaderAt, size int64) error {
	if size == 0 {
		return ErrEmpty
	}
	var head [4]byte
	var tail [8]byte
	if _, err := f.ReadAt(head[:], 0); err != nil && err != io.EOF {
		return err
	}
	if string(head[:]) == parquetEncrypted {
		return ErrEncrypted
	}
	if string(head[:]) != parquetMagic {
		return fmt.Errorf("it is not a Parquet file, which would begin with %s", parquetMagic)
	}
	if size < int64(len(head)+len(tail)) {
		return fmt.Errorf("it ends after %d bytes; it was cut off, make it again", size)
	}
	if _, err := f.ReadAt(tail[:], size-int64(len(tail))); err != nil {
		return err
	}
	switch magic := string(tail[4:]); magic {
	case parquetMagic:
	case parquetEncrypted:
		return ErrEncrypted
	default:
		return fmt.Errorf("it begins as a Parquet file but does not end as one, with %s; it was cut off or is still being written", parquetMagic)
	}
	if n := int64(binary.LittleEndian.Uint32(tail[:4])); n > size-12 || n > largestFooter {
		return fmt.Errorf("its footer claims %d bytes of a file of %d; it is damaged, make it again", n, size)
	}
	return nil
}

// checkGroups looks at the row groups, and in them at the columns that are read.
func (f *parquetFile) checkGroups(size int64) error {
	meta := f.reader.MetaData()
	f.starts = []int64{0}
	for g := range f.reader.NumRowGroups() {
		group := meta.RowGroup(g)
		rows, at := group.NumRows(), f.starts[g]
		if rows < 0 || at+rows < at {
			return fmt.Errorf("row group %d claims %d rows; the file is damaged, make it again", g+1, rows)
		}
		f.starts = append(f.starts, at+rows)
		for _, c := range f.columns {
			chunk, err := group.ColumnChunk(c.leaf)
			if err != nil {
				return fmt.Errorf("column %q in row group %d: %w", c.name, g+1, err)
			}
			where := fmt.Sprintf("column %q in row group %d", c.name, g+1)
			if chunk.CryptoMetadata() != nil {
				return fmt.Errorf("%s: %w, or leave it out by naming the columns to read", where, ErrEncrypted)
			}
			if p := chunk.FilePath(); p != "" {
				return fmt.Errorf("%s stands in another file, %q, which is not supported; write the table into one file", where, p)
			}
			if !canDecompress(chunk.Compression()) {
				return fmt.Errorf("%s is compressed with %s, which is not supported; write it again with zstd, snappy, gzip, brotli, lz4_raw or uncompressed", where, chunk.Compression())
			}
			n, start := chunk.NumValues(), chunk.DataPageOffset()
			if chunk.HasDictionaryPage() && chunk.DictionaryPageOffset() > 0 {
				start = min(start, chunk.DictionaryPageOffset())
			}
			switch length := chunk.TotalCompressedSize(); {
			case n < 0, c.column.MaxRepetitionLevel() == 0 && n != rows, c.column.MaxRepetitionLevel() > 0 && n < rows:
				return fmt.Errorf("%s claims %d values for %d rows; the file is damaged, make it again", where, n, rows)
			case start < 0, length < 0, length > size, start > size-length:
				return fmt.Errorf("%s claims the %d bytes from %d on, in a file of %d; it is damaged, make it again", where, length, start, size)
			case chunk.Type() != c.column.PhysicalType():
				return fmt.Errorf("%s is stored as %s, where the schema says %s; the file is damaged, make it again", where, chunk.Type(), c.column.PhysicalType())
			}
		}
	}
	if total := f.starts[len(f.starts)-1]; total != f.reader.NumRows() {
		return fmt.Errorf("its row groups have %d rows, its footer says %d; the file is damaged, make it again", total, f.reader.NumRows())
	}
	return nil
}

func canDecompress(c compress.Compression) bool {
	_, err := compress.GetCodec(c)
	return err == nil
}

// recoverParquet makes an error of a panic of the library, which takes some damaged files for granted.
func recoverParquet(path, what string, err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%s: %s cannot be read; the file is damaged, make it again (%s)", path, what, firstLine(fmt.Sprint(p)))
	}
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s
}
