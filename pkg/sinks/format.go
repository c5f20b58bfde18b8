package sinks

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// The formats of files.
const (
	formatCSV     = "csv"
	formatJSONL   = "jsonl"
	formatParquet = "parquet"
)

// extensions are what the names of parts may end in, each written as it is in FileOptions.Format.
var extensions = []string{formatCSV, formatCSV + ".gz", formatCSV + ".zst", formatJSONL, formatJSONL + ".gz", formatJSONL + ".zst", formatParquet}

// format is how the files of an export are written.
type format struct {
	ext         string // one of extensions
	kind        string // csv, jsonl or parquet
	compression string // gz, zst or nothing
}

// formatOf tells the format by the options and, of a single file, by its name.
func formatOf(o FileOptions) (format, error) {
	named := ""
	if !isFolder(o.Path) {
		name := strings.ToLower(filepath.Base(o.Path))
		for _, ext := range extensions {
			if strings.HasSuffix(name, "."+ext) {
				named = ext
			}
		}
	}
	ext := o.Format
	switch {
	case ext == "" && named == "":
		return format{}, fmt.Errorf("no format is given, and the name does not tell; it is one of %s", strings.Join(extensions, ", "))
	case ext == "":
		ext = named
	case named != "" && named != ext:
		if kind, _, _ := strings.Cut(named, "."); kind != ext {
			return format{}, fmt.Errorf("the format is %s, and the name says %s; choose another name", ext, named)
		}
		ext = named // of the same kind, and compressed
	}
	for _, known := range extensions {
		if ext == known {
			kind, compression, _ := strings.Cut(ext, ".")
			return format{ext: ext, kind: kind, compression: compression}, nil
		}
	}
	return format{}, fmt.Errorf("format %q is not known; it is one of %s", o.Format, strings.Join(extensions, ", "))
}

// encoder begins a file.
func (f format) encoder(w io.Writer, o FileOptions) (encoder, error) {
	if f.kind == formatParquet {
		return newParquetEncoder(w, o)
	}
	out, err := f.compress(w)
	if err != nil {
		return nil, err
	}
	if f.kind == formatCSV {
		return newCSVEncoder(out, o)
	}
	return newJSONLEncoder(out, o)
}

// compress puts the compression between a format and its file. Levels above these take two to four times as long for files that are a few
// hundredths smaller, at most.
func (f format) compress(w io.Writer) (io.WriteCloser, error) {
	switch f.compression {
	case "gz":
		z, err := gzip.NewWriterLevel(w, 2)
		if err == nil {
			z.ModTime = time.Unix(0, 0) // which the format has for no time; the library writes nonsense for the zero Time
		}
		return z, err
	case "zst":
		return zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(1<<20))
	}
	return plain{w}, nil
}

// plain is a file without compression.
type plain struct{ io.Writer }

func (plain) Close() error { return nil }
