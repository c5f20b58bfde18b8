package pipeline

import (
	"fmt"
	"strconv"
	"strings"
)

// Limit is a number of rows, or a share of the rows read so far. The zero Limit never stops anything.
type Limit struct {
	Rows    int64   `json:"rows,omitempty"`
	Percent float64 `json:"percent,omitempty"`
	Set     bool    `json:"set,omitempty"`
}

// percentFloor is the number of rows below which a share says nothing yet.
const percentFloor = 1000

// ParseLimit reads "500" or "2%"; "" is the zero Limit.
func ParseLimit(s string) (Limit, error) {
	if s == "" {
		return Limit{}, nil
	}
	if p, ok := strings.CutSuffix(s, "%"); ok {
		v, err := strconv.ParseFloat(strings.TrimSpace(p), 64)
		if err != nil || !(v >= 0 && v <= 100) {
			return Limit{}, fmt.Errorf("%q is no share of rows; write 2%% or 0.5%%", s)
		}
		return Limit{Percent: v, Set: true}, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		return Limit{}, fmt.Errorf("%q is no number of rows; write 500 or 2%%", s)
	}
	return Limit{Rows: n, Set: true}, nil
}

// Exceeded reports whether bad rows of all that were read are more than the limit allows.
func (l Limit) Exceeded(bad, read int64) bool {
	switch {
	case !l.Set:
		return false
	case l.Percent > 0:
		return read >= percentFloor && float64(bad) > l.Percent/100*float64(read)
	default:
		return bad > l.Rows
	}
}

func (l Limit) String() string {
	if l.Percent > 0 {
		return strconv.FormatFloat(l.Percent, 'g', -1, 64) + "%"
	}
	return strconv.FormatInt(l.Rows, 10)
}
