package sources

import "cmp"

// Position is where the next record of a split stands. A Reader opened at a Position goes on exactly
// there, by seeking: nothing that stands before it is read again. The zero Position means the start
// of the split.
type Position struct {
	// Row is the number of records of the split before this one, good and bad alike. The first is 0.
	Row int64 `json:"row"`
	// Offset is the number of bytes before the record in the file as it lies on disk, before any decoding. In a
	// compressed file it counts the bytes that came out of it, in a Parquet file rows.
	Offset int64 `json:"offset"`
	// Line is the physical line the record begins on; where there are no lines, the number of the record in its
	// file or query. The first is 1.
	Line int64 `json:"line"`
	// Blank is the number of blank lines of the split before the record.
	Blank int64 `json:"blank,omitempty"`
	// Path is the file that the record stands in, where the split has records of several; "" is the split's. It is known of
	// records that were read, and not stored.
	Path string `json:"-"`
}

// PathOr is Path, or the path of the split.
func (p Position) PathOr(s Split) string { return cmp.Or(p.Path, s.Path) }
