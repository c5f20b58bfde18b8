package export

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/zeebo/xxh3"
)

// print is what is remembered of a row: a hash of all of its values. Id and time stamp are among them; but two changes within one second have
// the same stamp, so they alone would not tell whether a row was had.
type print [16]byte

func printOf(row [][]byte) print {
	var h xxh3.Hasher
	var n [4]byte
	for _, v := range row {
		binary.LittleEndian.PutUint32(n[:], uint32(len(v)))
		h.Write(n[:])
		h.Write(v)
	}
	return h.Sum128().Bytes()
}

func comparePrints(a, b print) int { return bytes.Compare(a[:], b[:]) }

// maxSeen is how many rows are remembered: 32 MB. Rows beyond come again the next time, which makes them double in files and nothing in tables.
const maxSeen = 2_000_000

const seenPrefix = "seen-"

// seen are rows that were had, sorted.
type seen []print

func (s seen) has(p print) bool {
	_, ok := slices.BinarySearchFunc(s, p, comparePrints)
	return ok
}

func readSeen(path string) (seen, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("rows that were exported before: %w; remove the folder, and all rows are exported again", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size()%16 != 0 || info.Size() > maxSeen*16 {
		return nil, fmt.Errorf("%s is damaged; remove the folder, and all rows are exported again", path)
	}
	s := make(seen, info.Size()/16)
	r := bufio.NewReaderSize(f, 1<<16)
	for i := range s {
		if _, err := io.ReadFull(r, s[i][:]); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	if !slices.IsSortedFunc(s, comparePrints) {
		return nil, fmt.Errorf("%s is damaged; remove the folder, and all rows are exported again", path)
	}
	return s, nil
}

// write makes the rows durable, whole.
func (s seen) write(path string) error {
	slices.SortFunc(s, comparePrints)
	return writeWhole(path, func(f io.Writer) error {
		w := bufio.NewWriterSize(f, 1<<16)
		for i := range s {
			w.Write(s[i][:]) // Flush tells what went wrong
		}
		return w.Flush()
	})
}
