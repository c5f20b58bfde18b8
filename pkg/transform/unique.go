package transform

import (
	"encoding/binary"
	"fmt"
	"strings"

	"migrate/pkg/cell"
)

// Claim gives keys to the first rows that come with them. rows are rows of the batch, keys what they hold; different values never
// make the same key. The answer has, for each, "" where the row has the key, now or since an earlier call, and else the name of the
// row that has it. The same row may ask again.
type Claim func(rows []int, keys []string) (owners []string, err error)

// claim rejects the rows whose key an earlier row has.
func (b *batch) claim(columns []int, claim Claim) error {
	var rows []int
	var keys []string
	var key, value []byte
	for i := range b.rows {
		if b.out(i) {
			continue
		}
		key = key[:0]
		filled := false
		for _, c := range columns {
			value = cell.AppendText(value[:0], b.in.Column(c), i)
			filled = filled || len(value) > 0
			key = binary.AppendUvarint(key, uint64(len(value)))
			key = append(key, value...)
		}
		if filled {
			rows = append(rows, i)
			keys = append(keys, string(key))
		}
	}
	owners, err := claim(rows, keys)
	if err != nil {
		return fmt.Errorf("unique rows: %w", err)
	}
	for k, owner := range owners {
		if owner == "" {
			continue
		}
		var shown []string
		for _, c := range columns {
			shown = append(shown, fmt.Sprintf("%s %s", b.in.ColumnName(c), show(cell.AppendText(nil, b.in.Column(c), rows[k]))))
		}
		if _, known := b.faults[rows[k]]; !known {
			b.faults[rows[k]] = Reject{Row: rows[k], Column: b.in.ColumnName(columns[0]), Rule: RuleDuplicate,
				Message: fmt.Sprintf("%s stands in %s already, and the rows must differ in it", strings.Join(shown, ", "), owner)}
		}
	}
	return nil
}
