package localorg

import (
	"strings"
	"testing"
)

func TestParseValue(t *testing.T) {
	t.Parallel()
	const wrong = "wrong type"
	tests := []struct {
		field      *field
		text, want string // want is the stored form
		fault      string // the row error, or wrong
	}{
		{field: &field{kind: kindBool}, text: "true", want: "true"},
		{field: &field{kind: kindBool}, text: "FALSE", want: "false"},
		{field: &field{kind: kindBool}, text: "1", want: "true"},
		{field: &field{kind: kindBool}, text: "0", want: "false"},
		{field: &field{kind: kindBool}, text: "yes", fault: wrong},
		{field: &field{kind: kindBool}, text: "2", fault: wrong},

		{field: &field{kind: kindInt, Digits: 8}, text: "2676", want: "2676"},
		{field: &field{kind: kindInt, Digits: 8}, text: "-12", want: "-12"},
		{field: &field{kind: kindInt, Digits: 8}, text: "1e3", want: "1000"},
		{field: &field{kind: kindInt, Digits: 8}, text: "12.9", want: "12"},
		{field: &field{kind: kindInt, Digits: 8, Name: "N", Label: "Employees"}, text: "123456789", fault: "NUMBER_OUTSIDE_VALID_RANGE:Employees: value outside of valid range on numeric field: 123456789:N --"},
		{field: &field{kind: kindInt, Digits: 8}, text: "1,000", fault: wrong},
		{field: &field{kind: kindInt, Digits: 8}, text: "", fault: wrong},

		{field: &field{kind: kindDouble, Precision: 18, Scale: 2}, text: "912260000", want: "912260000"},
		{field: &field{kind: kindDouble, Precision: 18, Scale: 2}, text: "9.1226E8", want: "912260000"},
		{field: &field{kind: kindDouble, Precision: 18, Scale: 2}, text: "1.239", want: "1.23"}, // dropped, not rounded
		{field: &field{kind: kindDouble, Precision: 18, Scale: 2}, text: "1.20", want: "1.2"},
		{field: &field{kind: kindDouble, Precision: 18, Scale: 2}, text: "-0.001", want: "0"},
		{field: &field{kind: kindDouble, Precision: 18, Scale: 0}, text: "5.5", want: "5"},
		{field: &field{kind: kindDouble, Precision: 18, Scale: 2}, text: "+.5", want: "0.5"},
		{field: &field{kind: kindDouble, Precision: 5, Scale: 2, Name: "A", Label: "Amount"}, text: "1000", fault: "NUMBER_OUTSIDE_VALID_RANGE:Amount: value outside of valid range on numeric field: 1000:A --"},
		{field: &field{kind: kindDouble, Precision: 5, Scale: 2}, text: "-999.99", want: "-999.99"},
		{field: &field{kind: kindDouble, Precision: 18}, text: "1,5", fault: wrong},
		{field: &field{kind: kindDouble, Precision: 18}, text: " 1", fault: wrong},
		{field: &field{kind: kindDouble, Precision: 18}, text: "0x10", fault: wrong},
		{field: &field{kind: kindDouble, Precision: 18}, text: "NaN", fault: wrong},
		{field: &field{kind: kindDouble, Precision: 18}, text: "1e", fault: wrong},
		{field: &field{kind: kindDouble, Precision: 18}, text: "1_000", fault: wrong},
		{field: &field{kind: kindDouble, Precision: 18, Name: "A", Label: "Amount"}, text: "1e999", fault: "NUMBER_OUTSIDE_VALID_RANGE:Amount: value outside of valid range on numeric field: 1e999:A --"},

		{field: &field{kind: kindDate}, text: "2026-01-31", want: "2026-01-31"},
		{field: &field{kind: kindDate}, text: "1940-06-07Z", want: "1940-06-07"},
		{field: &field{kind: kindDate}, text: "2024-02-29", want: "2024-02-29"},
		{field: &field{kind: kindDate}, text: "2026-02-29", fault: wrong},
		{field: &field{kind: kindDate}, text: "31.01.2026", fault: wrong},
		{field: &field{kind: kindDate}, text: "2026-1-31", fault: wrong},
		{field: &field{kind: kindDate}, text: "2026-01-31T00:00:00Z", fault: wrong},
		{field: &field{kind: kindDate, Name: "D", Label: "Day"}, text: "0026-01-31", fault: "FIELD_INTEGRITY_EXCEPTION:Day: invalid date: 0026-01-31:D --"},

		{field: &field{kind: kindDatetime}, text: "2026-01-31T10:00:00Z", want: "2026-01-31T10:00:00Z"},
		{field: &field{kind: kindDatetime}, text: "2026-01-31T10:00:00.999Z", want: "2026-01-31T10:00:00Z"},
		{field: &field{kind: kindDatetime}, text: "2026-01-01T00:30:00+01:00", want: "2025-12-31T23:30:00Z"},
		{field: &field{kind: kindDatetime}, text: "2026-01-31T10:00:00", fault: wrong},
		{field: &field{kind: kindDatetime}, text: "2026-01-31 10:00:00Z", fault: wrong},
		{field: &field{kind: kindDatetime}, text: "2026-01-31T10:00:00,5Z", fault: wrong},
		{field: &field{kind: kindDatetime}, text: "2026-01-31", fault: wrong},
		{field: &field{kind: kindDatetime, Name: "D", Label: "Due"}, text: "4026-01-31T10:00:00Z", fault: "FIELD_INTEGRITY_EXCEPTION:Due: invalid date: 4026-01-31T10:00:00Z:D --"},

		{field: &field{kind: kindTime}, text: "13:05:00.000Z", want: "13:05:00.000Z"},
		{field: &field{kind: kindTime}, text: "25:05:00.000Z", fault: wrong},

		{field: &field{kind: kindText, Length: 3}, text: "abc", want: "abc"},
		{field: &field{kind: kindText, Length: 3}, text: " ä ", want: " ä "},
		{field: &field{kind: kindText, Length: 2}, text: "\U0001F600", want: "\U0001F600"}, // two UTF-16 units
		{field: &field{kind: kindText, Length: 2, Name: "LastName", Label: "Last Name"}, text: "x\U0001F600", fault: "STRING_TOO_LONG:Last Name: data value too large: x\U0001F600 (max length=2):LastName --"},

		{field: &field{kind: kindPicklist, Length: 255}, text: "anything", want: "anything"},
		{field: &field{kind: kindPicklist, values: map[string]bool{"Hot": true}}, text: "Hot", want: "Hot"},
		{field: &field{kind: kindPicklist, values: map[string]bool{"Hot": true}, Name: "Rating", Label: "Rating"}, text: "Lukewarm", fault: "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST:Rating: bad value for restricted picklist field: Lukewarm:Rating --"},
		{field: &field{kind: kindMulti, values: map[string]bool{"A": true, "B": true}}, text: "A;B", want: "A;B"},
		{field: &field{kind: kindMulti, values: map[string]bool{"A": true}, Name: "M", Label: "Many"}, text: "A;C", fault: "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST:Many: bad value for restricted picklist field: C:M --"},

		{field: &field{kind: kindReference}, text: "0015g00000AbCdE", want: "0015g00000AbCdEAAV"},
		{field: &field{kind: kindReference, Name: "AccountId", Label: "Account ID"}, text: "x", fault: "MALFORMED_ID:Account ID: id value of incorrect type: x:AccountId --"},

		{field: &field{kind: kindEmail, Length: 80}, text: "a.b+c@example.com", want: "a.b+c@example.com"},
		{field: &field{kind: kindEmail, Length: 80}, text: "jürgen@exämple.org", want: "jürgen@exämple.org"},
	}
	for _, bad := range []string{"foo", "@example.com", "a@", "a@b", "a@@example.com", "a b@example.com", "a@example..com", ".a@example.com", "a@-example.com", "a@exam ple.com", "a@example.com, b@example.com"} {
		tests = append(tests, struct {
			field      *field
			text, want string
			fault      string
		}{&field{kind: kindEmail, Length: 80, Name: "Email", Label: "Email"}, bad, "", "INVALID_EMAIL_ADDRESS:Email: invalid email address: " + bad + ":Email --"})
	}
	for _, test := range tests {
		v, problem, ok := test.field.parse([]byte(test.text))
		fault := ""
		switch {
		case !ok:
			fault = wrong
		case problem != nil:
			fault = problem.String()
		}
		if fault != test.fault || fault == "" && string(v) != test.want {
			t.Errorf("%s %q: got %q, fault %q; want %q, fault %q", test.field.kind.xsdType(), test.text, v, fault, test.want, test.fault)
		}
	}
}

// No text makes parse panic, and what it stores it reads again as the same.
func FuzzParseValue(f *testing.F) {
	for _, s := range []string{"1", "true", "2026-01-31", "2026-01-31T10:00:00+01:00", "-1.5e3", "a@example.com", "0015g00000AbCdE", "13:05:00.000Z", "é"} {
		f.Add(s, uint8(3))
	}
	f.Fuzz(func(t *testing.T, text string, k uint8) {
		fd := &field{kind: kind(k) % kindCompound, Length: 40, Precision: 18, Scale: int(k % 4), Digits: 8}
		v, fault, ok := fd.parse([]byte(text))
		if !ok || fault != nil {
			return
		}
		stored := string(v)
		again, fault, ok := fd.parse([]byte(strings.Clone(stored)))
		if !ok || fault != nil || string(again) != stored {
			t.Fatalf("kind %d: %q is stored as %q, which is read as %q %q %v", fd.kind, text, stored, again, fault, ok)
		}
	})
}
