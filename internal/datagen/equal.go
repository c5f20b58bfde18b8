package datagen

import "io"

// EqualAccounts writes Account rows as Accounts does, but without Legacy_Id__c, so with 11 columns, and with many rows that
// are equal in all of them: about half of the rows repeat one of a few dozen, the others are unique (their name ends
// with "No. n"). A loader must account for each of the equal rows once, though nothing tells one from another.
func EqualAccounts(w io.Writer, seed uint64, rows int) error {
	const kinds = 40
	a := newAccountRows(seed)
	equal := make([][]byte, kinds)
	for i := range equal {
		equal[i] = a.append(nil, -1)
	}
	d := newDraw(seed, 1)
	return writeRows(w, equalHeader, rows, func(b []byte, row int) []byte {
		if d.percent(50) {
			// Twice below: some kinds come often, some hardly ever.
			return append(b, equal[d.below(1+d.below(kinds))]...)
		}
		return a.append(b, row+1)
	})
}
