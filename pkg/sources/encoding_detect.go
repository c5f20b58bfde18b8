package sources

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

const (
	guessBlocks = 64
	guessBlock  = 64 << 10 // bytes; files up to 4 MiB are looked at in full
)

// foreign are the first bytes of files that are often taken for CSV.
var foreign = []struct{ magic, what string }{
	{"PK\x03\x04", "a ZIP file, perhaps an Excel workbook; save the sheet as CSV"},
	{"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", "an old Excel workbook; save the sheet as CSV"},
	{"\x1F\x8B", "a gzip file; unpack it first"},
	{"\x28\xB5\x2F\xFD", "a Zstandard file; unpack it first"},
	{"PAR1", "a Parquet file, not CSV"},
	{"\xFF\xFE\x00\x00", "UTF-32 text; save it as UTF-8"},
	{"\x00\x00\xFE\xFF", "UTF-32 text; save it as UTF-8"},
	{"SQLite format 3\x00", "an SQLite database, not CSV"},
}

// guess is what was found out about a file's encoding.
type guess struct {
	name  string
	bom   int // bytes
	notes []string
}

// detectEncoding decides by what was told, then BOM, then zero bytes in the head, then whether
// samples from the whole file are valid UTF-8.
func detectEncoding(r io.ReaderAt, size int64, told string) (guess, error) {
	head := make([]byte, min(size, guessBlock))
	if _, err := r.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return guess{}, err
	}
	if told == "" {
		for _, f := range foreign {
			if bytes.HasPrefix(head, []byte(f.magic)) {
				return guess{}, fmt.Errorf("this is %s", f.what)
			}
		}
	}
	marked, bom := readBOM(head)
	switch {
	case told == encUTF16 && (marked == encUTF16LE || marked == encUTF16BE), told == "" && marked != "", told != "" && told == marked:
		return guess{name: marked, bom: bom}, nil
	case told == encUTF16:
		if z := zeroBytes(head); z != "" {
			return guess{name: z}, nil
		}
		return guess{name: encUTF16LE, notes: []string{"the file has no byte order mark; UTF-16LE is assumed"}}, nil
	case told != "" && marked != "":
		return guess{name: told, notes: []string{fmt.Sprintf("the file begins with the byte order mark of %s, but %s was told", marked, told)}}, nil
	case told != "":
		return guess{name: told}, nil
	}
	if z := zeroBytes(head); z != "" {
		return guess{name: z, notes: []string{"there is no byte order mark; the zero bytes show UTF-16"}}, nil
	}
	return validSamples(r, size)
}

func readBOM(head []byte) (name string, n int) {
	switch {
	case bytes.HasPrefix(head, []byte("\xEF\xBB\xBF")):
		return encUTF8, 3
	case bytes.HasPrefix(head, []byte("\xFF\xFE")):
		return encUTF16LE, 2
	case bytes.HasPrefix(head, []byte("\xFE\xFF")):
		return encUTF16BE, 2
	}
	return "", 0
}

// zeroBytes recognises UTF-16 by the zero half of its ASCII characters: nearly all characters in
// Western text, delimiters and line ends in any other, which then is not valid UTF-8 either.
func zeroBytes(head []byte) string {
	var zeros [2]int
	for i, c := range head {
		if c == 0 {
			zeros[i&1]++
		}
	}
	enough := len(head) / 4
	if zeros[0]+zeros[1] > 0 && !validPiece(head) {
		enough = len(head) / 50
	}
	switch even, odd := zeros[0], zeros[1]; {
	case odd > enough && odd >= 10*even:
		return encUTF16LE
	case even > enough && even >= 10*odd:
		return encUTF16BE
	}
	return ""
}

// validPiece tells whether b is UTF-8, but for a character cut off at either end.
func validPiece(b []byte) bool {
	return utf8.Valid(trimPiece(b))
}

func trimPiece(b []byte) []byte {
	b = b[:len(b)-partialRune(b)]
	for i := 0; i < 3 && len(b) > 0 && !utf8.RuneStart(b[0]); i++ {
		b = b[1:]
	}
	return b
}

func validSamples(r io.ReaderAt, size int64) (guess, error) {
	valid := true
	err := sample(r, size, guessBlocks, guessBlock, func(b []byte) { valid = valid && validPiece(b) })
	if err != nil || valid {
		return guess{name: encUTF8}, err
	}
	var good, bad, undefined int
	err = sample(r, size, guessBlocks, guessBlock, func(b []byte) {
		for b = trimPiece(b); len(b) > 0; {
			c, n := utf8.DecodeRune(b)
			switch {
			case c < utf8.RuneSelf:
			case c == utf8.RuneError && n == 1:
				bad++
			default:
				good++
			}
			switch b[0] {
			case 0x81, 0x8D, 0x8F, 0x90, 0x9D:
				undefined++ // if it is no UTF-8
			}
			b = b[n:]
		}
	})
	switch {
	case err != nil:
		return guess{}, err
	case good > bad:
		return guess{name: encUTF8, notes: []string{fmt.Sprintf(
			"%d of the %d characters beyond ASCII that were looked at are not valid UTF-8; their rows will be rejected", bad, good+bad)}}, nil
	}
	g := guess{name: encWindows1252, notes: []string{"the text is not valid UTF-8; Windows-1252 is assumed"}}
	if undefined > 0 {
		g.notes = append(g.notes, "it holds bytes that Windows-1252 does not define either, so it may be in another encoding; their rows will be rejected")
	}
	return g, nil
}
