package sources

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// Canonical names of encodings, as they stand in Dialect.Encoding.
const (
	encUTF8        = "utf-8"
	encUTF16LE     = "utf-16le"
	encUTF16BE     = "utf-16be"
	encWindows1252 = "windows-1252"
	encUTF16       = "utf-16" // told only: the BOM or the zero bytes decide
)

func encodingName(s string) (string, error) {
	switch strings.ToLower(strings.ReplaceAll(s, "_", "-")) {
	case "":
		return "", nil
	case "utf-8", "utf8", "ascii", "us-ascii":
		return encUTF8, nil
	case "utf-16", "utf16":
		return encUTF16, nil
	case "utf-16le", "utf16le", "utf-16-le":
		return encUTF16LE, nil
	case "utf-16be", "utf16be", "utf-16-be":
		return encUTF16BE, nil
	case "latin-1", "latin1", "iso-8859-1", "windows-1252", "cp1252":
		return encWindows1252, nil
	}
	return "", fmt.Errorf("encoding %q is not known; use utf-8, utf-16, utf-16le, utf-16be, latin-1 or windows-1252", s)
}

// codec turns the bytes on disk into UTF-8. Which bytes a piece of decoded text came from can be
// told from the text alone, so that offsets stay exact without a table: see rawLen.
type codec struct {
	name string
	// decode fills dst from src and says how much of each it used. It leaves an incomplete unit at
	// the end of src alone, unless last is set. A nil decode means that the bytes are UTF-8 already.
	decode func(dst, src []byte, last bool) (nd, ns int)
	// rawLen is the number of bytes on disk that decoded text was made from.
	rawLen func(text []byte) int
}

func codecFor(name string) (codec, error) {
	switch name {
	case encUTF8:
		return codec{name, nil, func(b []byte) int { return len(b) }}, nil
	case encUTF16LE:
		return codec{name, decodeUTF16(binary.LittleEndian), rawLenUTF16}, nil
	case encUTF16BE:
		return codec{name, decodeUTF16(binary.BigEndian), rawLenUTF16}, nil
	case encWindows1252:
		return codec{name, decode1252, countLeads}, nil
	}
	return codec{}, fmt.Errorf("encoding %q is not known", name)
}

// noChar stands for one byte on disk that is no character: one that Windows-1252 leaves undefined, or
// the half unit that a cut UTF-16 file ends with. It is never part of UTF-8, so the record it is in is
// found invalid.
const noChar = 0xFF

// decodeUTF16 writes a lone surrogate as the three bytes that UTF-8 would use if it allowed them:
// the record it stands in is then found invalid, and the bytes still count as one unit of two.
func decodeUTF16(order binary.ByteOrder) func(dst, src []byte, last bool) (int, int) {
	little := order == binary.LittleEndian
	return func(dst, src []byte, last bool) (nd, ns int) {
		for nd+4 <= len(dst) {
			if ns+8 <= len(src) { // four ASCII characters at once
				w := binary.LittleEndian.Uint64(src[ns:])
				if !little {
					w = bits.ReverseBytes64(w)
					w = w>>48 | w>>16&0xFFFF0000 | w<<16&0xFFFF00000000 | w<<48
				}
				if w&0xFF80FF80FF80FF80 == 0 {
					dst[nd], dst[nd+1], dst[nd+2], dst[nd+3] = byte(w), byte(w>>16), byte(w>>32), byte(w>>48)
					nd += 4
					ns += 8
					continue
				}
			}
			if ns+2 > len(src) {
				if last && ns+1 == len(src) {
					dst[nd] = noChar
					nd++
					ns++
				}
				break
			}
			u := rune(order.Uint16(src[ns:]))
			if utf16.IsSurrogate(u) {
				if u < 0xDC00 && ns+4 > len(src) && !last {
					break
				}
				if ns+4 <= len(src) {
					if r := utf16.DecodeRune(u, rune(order.Uint16(src[ns+2:]))); r != utf8.RuneError {
						nd += utf8.EncodeRune(dst[nd:], r)
						ns += 4
						continue
					}
				}
				dst[nd], dst[nd+1], dst[nd+2] = 0xE0|byte(u>>12), 0x80|byte(u>>6)&0x3F, 0x80|byte(u)&0x3F
				nd += 3
				ns += 2
				continue
			}
			nd += utf8.EncodeRune(dst[nd:], u)
			ns += 2
		}
		return nd, ns
	}
}

var table1252 = func() (t [256]rune) {
	for i := range t {
		t[i] = charmap.Windows1252.DecodeByte(byte(i))
	}
	return t
}()

func decode1252(dst, src []byte, _ bool) (nd, ns int) {
	for ns < len(src) && nd+3 <= len(dst) {
		if ns+8 <= len(src) && nd+8 <= len(dst) {
			if w := binary.LittleEndian.Uint64(src[ns:]); w&highBits == 0 {
				binary.LittleEndian.PutUint64(dst[nd:], w)
				nd += 8
				ns += 8
				continue
			}
		}
		switch c := src[ns]; {
		case c < utf8.RuneSelf:
			dst[nd] = c
			nd++
		case table1252[c] == utf8.RuneError:
			dst[nd] = noChar
			nd++
		default:
			nd += utf8.EncodeRune(dst[nd:], table1252[c])
		}
		ns++
	}
	return nd, ns
}

// rawLenUTF16: every character is two bytes on disk, those of four bytes in UTF-8 are four.
func rawLenUTF16(text []byte) int {
	n := 0
	for _, c := range text {
		switch {
		case c < 0x80 || c >= 0xC0 && c < 0xF0:
			n += 2
		case c == noChar:
			n++
		case c >= 0xF0:
			n += 4
		}
	}
	return n
}

const highBits = 0x8080808080808080

// countLeads counts characters, by the bytes that do not continue one: in Windows-1252 each is one byte
// on disk.
func countLeads(text []byte) int {
	n := len(text)
	for ; len(text) >= 8; text = text[8:] {
		w := binary.LittleEndian.Uint64(text)
		n -= bits.OnesCount64(w & ^(w << 1) & highBits)
	}
	for _, c := range text {
		if c&0xC0 == 0x80 {
			n--
		}
	}
	return n
}
