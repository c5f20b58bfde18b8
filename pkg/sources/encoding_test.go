package sources_test

import (
	"strings"
	"unicode/utf16"
)

// encoders turn UTF-8 text into the bytes of a file. Only what Windows-1252 can hold is given to all.
var encoders = map[string]func(string) string{
	"utf-8":        func(s string) string { return s },
	"utf-8 BOM":    func(s string) string { return "\xef\xbb\xbf" + s },
	"utf-16le":     func(s string) string { return "\xff\xfe" + units(s, 0, 8) },
	"utf-16be":     func(s string) string { return "\xfe\xff" + units(s, 8, 0) },
	"windows-1252": to1252,
}

func units(s string, first, second int) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = append(b, byte(u>>first), byte(u>>second))
	}
	return string(b)
}

func to1252(s string) string {
	var b []byte
	for _, r := range s {
		switch {
		case r < 0x80 || r >= 0xA0 && r <= 0xFF:
			b = append(b, byte(r))
		case r == '€':
			b = append(b, 0x80)
		default:
			b = append(b, '?')
		}
	}
	return strings.Clone(string(b))
}
