package localorg

import (
	"math"
	"strconv"
)

// appendJavaDouble writes x as Java's Double.toString does (JDK 19 and later): the shortest decimal that reads back as
// x, with at least one digit on each side of the point; from 1e-3 up to 1e7 without an exponent, else as d.dddE±n.
// Bulk API 2.0 gives numbers back in this form: 912260000 comes back as 9.1226E8.
func appendJavaDouble(dst []byte, x float64) []byte {
	switch {
	case math.IsNaN(x):
		return append(dst, "NaN"...)
	case math.IsInf(x, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(x, -1):
		return append(dst, "-Infinity"...)
	}
	if math.Signbit(x) {
		dst = append(dst, '-')
		x = -x
	}
	if x == 0 {
		return append(dst, "0.0"...)
	}
	var buf [32]byte
	s := strconv.AppendFloat(buf[:0], x, 'e', -1, 64) // d[.ddd]e±nn
	if s[1] != '.' {
		// One digit is enough. Java then takes the nearest decimal of two digits, if it still reads back as x;
		// so the smallest double is 4.9E-324, not 5E-324.
		two := strconv.AppendFloat(buf[:0:0], x, 'e', 1, 64)
		if back, err := strconv.ParseFloat(string(two), 64); err == nil && back == x {
			s = two
		}
	}
	e := len(s) - 1
	for s[e] != 'e' {
		e--
	}
	exp, _ := strconv.Atoi(string(s[e+1:]))
	var digits [24]byte
	d := append(digits[:0], s[0])
	if e > 2 {
		d = append(d, s[2:e]...)
	}
	for len(d) > 1 && d[len(d)-1] == '0' {
		d = d[:len(d)-1]
	}
	switch {
	case exp < -3 || exp >= 7:
		dst = append(dst, d[0], '.')
		dst = appendOrZero(dst, d[1:])
		dst = append(dst, 'E')
		return strconv.AppendInt(dst, int64(exp), 10)
	case exp < 0:
		dst = append(dst, "0."...)
		for range -exp - 1 {
			dst = append(dst, '0')
		}
		return append(dst, d...)
	}
	for i := range exp + 1 {
		if i < len(d) {
			dst = append(dst, d[i])
		} else {
			dst = append(dst, '0')
		}
	}
	dst = append(dst, '.')
	if len(d) > exp+1 {
		return append(dst, d[exp+1:]...)
	}
	return append(dst, '0')
}

func appendOrZero(dst, digits []byte) []byte {
	if len(digits) == 0 {
		return append(dst, '0')
	}
	return append(dst, digits...)
}
