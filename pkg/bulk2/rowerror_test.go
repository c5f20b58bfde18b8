package bulk2

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseRowError(t *testing.T) {
	for in, want := range map[string]RowError{
		"REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --":              {"REQUIRED_FIELD_MISSING", "Required fields are missing: [Name]", []string{"Name"}},
		"REQUIRED_FIELD_MISSING:Required fields are missing: [A, B]:A,B --":               {"REQUIRED_FIELD_MISSING", "Required fields are missing: [A, B]", []string{"A", "B"}},
		"INVALID_FIELD:Foreign key external ID: x-9 not found for field K in entity A:--": {"INVALID_FIELD", "Foreign key external ID: x-9 not found for field K in entity A", nil},
		"CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY:T: execution of BeforeInsert\ncaused by: X\n:--": {"CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
			"T: execution of BeforeInsert\ncaused by: X\n", nil},
		"some text":         {"", "some text", nil},
		"Some text: indeed": {"", "Some text: indeed", nil},
		"X:":                {"X", "", nil},
		"X:no tail":         {"X", "no tail", nil},
		"":                  {"", "", nil},
	} {
		if diff := cmp.Diff(want, ParseRowError(in)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", in, diff)
		}
	}
}

func TestTransient(t *testing.T) {
	for in, want := range map[string]bool{
		"UNABLE_TO_LOCK_ROW:unable to obtain exclusive access to this record or 1 records: 001:--":                                true,
		"CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY:Too many retries of batch save in the presence of Apex triggers with failures: :--": true,
		"CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY:T: execution of BeforeInsert:--":                                                    false,
		"STRING_TOO_LONG:Last Name: data value too large: Abc (max length=80):LastName --":                                        false,
		"DUPLICATE_VALUE:duplicate value found: K duplicates value on record with id: 001:--":                                     false,
		"CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY:T: System.LimitException: Apex CPU time limit exceeded:--":                          true,
		"CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY:T: System.LimitException: ns:Too many DML statements: 151:--":                       true,
		"CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY:T: caused by: System.DmlException: UNABLE_TO_LOCK_ROW, unable:--":                   true,
		"CANNOT_EXECUTE_FLOW_TRIGGER:The flow failed: UNABLE_TO_LOCK_ROW: unable to obtain exclusive access:--":                   true,
		"CANNOT_EXECUTE_FLOW_TRIGGER:The flow failed: CPU time limit exceeded:--":                                                 false,
		"TOO_MANY_APEX_REQUESTS:wait:--":                                           true,
		"UNKNOWN_EXCEPTION:An unexpected error occurred.:--":                       true,
		"ENTITY_IS_LOCKED:the record is locked for approval:--":                    false,
		"DUPLICATE_EXTERNAL_ID:Legacy Id: more than one record found: [1, 2]:--":   false,
		"STORAGE_LIMIT_EXCEEDED:storage limit exceeded:--":                         false,
		"FIELD_CUSTOM_VALIDATION_EXCEPTION:says UNABLE_TO_LOCK_ROW in its text:--": false,
		"": false,
	} {
		if got := ParseRowError(in).Transient(); got != want {
			t.Errorf("%q: transient %v, want %v", in, got, want)
		}
	}
}

func FuzzParseRowError(f *testing.F) {
	f.Add("A:b:c --")
	f.Add(":::--")
	f.Fuzz(func(t *testing.T, s string) {
		e := ParseRowError(s)
		if len(s) > 0 && e.Code == "" && e.Message != s {
			t.Fatalf("%q lost text: %+v", s, e)
		}
	})
}
