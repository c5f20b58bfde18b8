package localorg

import "strings"

// rowFault is why a row cannot be saved. Its message names a field by its label, fields by its API name.
type rowFault struct {
	code, message string
	fields        []string
}

// String is what sf__Error says: CODE:message:Field1,Field2 -- ; without fields CODE:message:-- .
func (e *rowFault) String() string {
	if len(e.fields) == 0 {
		return e.code + ":" + e.message + ":--"
	}
	return e.code + ":" + e.message + ":" + strings.Join(e.fields, ",") + " --"
}

func rowError(code, message string, fields ...string) *rowFault {
	return &rowFault{code, message, fields}
}

func errTooLong(f *field, value []byte) *rowFault {
	return rowError("STRING_TOO_LONG", f.Label+": data value too large: "+string(value)+" (max length="+itoa(f.Length)+")", f.Name)
}

func errRange(f *field, value string) *rowFault {
	return rowError("NUMBER_OUTSIDE_VALID_RANGE", f.Label+": value outside of valid range on numeric field: "+value, f.Name)
}

func errPicklist(f *field, value []byte) *rowFault {
	return rowError("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", f.Label+": bad value for restricted picklist field: "+string(value), f.Name)
}

func errEmail(f *field, value []byte) *rowFault {
	return rowError("INVALID_EMAIL_ADDRESS", f.Label+": invalid email address: "+string(value), f.Name)
}

// errNull is the answer to #N/A in a checkbox.
func errNull(f *field) *rowFault {
	return rowError("INVALID_TYPE_ON_FIELD_IN_RECORD", f.Label+": value not of required type: ", f.Name)
}

// errDate is the answer to a date that is well formed but outside the org's calendar; the text is a guess.
func errDate(f *field, value []byte) *rowFault {
	return rowError("FIELD_INTEGRITY_EXCEPTION", f.Label+": invalid date: "+string(value), f.Name)
}

func errIDType(f *field, value []byte) *rowFault {
	return rowError("MALFORMED_ID", f.Label+": id value of incorrect type: "+string(value), f.Name)
}

func errMalformedID(value []byte) *rowFault {
	return rowError("MALFORMED_ID", "malformed id "+string(value), "Id")
}

func errDeserialize(col int, value []byte, xsdType string, f *field) *rowFault {
	return rowError("INVALID_FIELD", "Failed to deserialize field at col "+itoa(col)+". Due to, '"+string(value)+"' is not a valid value for the type "+xsdType, f.Name)
}

func errRequired(names []string) *rowFault {
	return rowError("REQUIRED_FIELD_MISSING", "Required fields are missing: ["+strings.Join(names, ", ")+"]", names...)
}

func errNotWriteable(names []string) *rowFault {
	list := strings.Join(names, ", ")
	return rowError("INVALID_FIELD_FOR_INSERT_UPDATE", "Unable to create/update fields: "+list+
		". Please check the security settings of this field and verify that it is read/write for your profile or permission set.", names...)
}

// errParentNotFound has no field list, as in recorded answers.
func errParentNotFound(key []byte, f *field, parent string) *rowFault {
	return rowError("INVALID_FIELD", "Foreign key external ID: "+string(key)+" not found for field "+f.Name+" in entity "+parent)
}

func errParentAmbiguous(key []byte, f *field, parent string) *rowFault {
	return rowError("INVALID_FIELD", "Foreign key external ID: "+string(key)+" matches more than one record for field "+f.Name+" in entity "+parent)
}

func errDuplicate(f *field, other id15) *rowFault {
	return rowError("DUPLICATE_VALUE", "duplicate value found: "+f.Name+" duplicates value on record with id: "+other.short())
}

func errDuplicateKey(f *field, key []byte) *rowFault {
	return rowError("DUPLICATE_VALUE", "Duplicate external id specified: "+string(key), f.Name)
}

func errAmbiguousKey(f *field, ids []string) *rowFault {
	return rowError("DUPLICATE_EXTERNAL_ID", f.Label+": more than one record found for external id field: ["+strings.Join(ids, ", ")+"]", f.Name)
}

func errInactiveOwner(owner id15, o *object) *rowFault {
	return rowError("INACTIVE_OWNER_OR_USER", "operation performed with inactive user ["+owner.short()+"] as owner of "+strings.ToLower(o.Label))
}

var (
	errCrossReference = rowError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
	errGoneReference  = rowError("INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", "insufficient access rights on cross-reference id")
	errStorage        = rowError("STORAGE_LIMIT_EXCEEDED", "storage limit exceeded")
	errDeleted        = rowError("ENTITY_IS_DELETED", "entity is deleted")
	errIDOnInsert     = rowError("INVALID_FIELD_FOR_INSERT_UPDATE", "cannot specify Id in an insert call", "Id")
	errNoID           = rowError("MISSING_ARGUMENT", "Id not specified in an update call")
	errNoIDDelete     = rowError("MISSING_ARGUMENT", "Id not specified in a delete call") // text is a guess
)

// errHasChildren refuses to delete a record that others depend on.
func errHasChildren(name string, children *object) *rowFault {
	return rowError("DELETE_FAILED", "Your attempt to delete "+name+" could not be completed because it is associated with the following "+strings.ToLower(children.LabelPlural)+".")
}

// errLocked refuses a row whose record, or the named parents of it, another transaction has. It is worth another try.
func errLocked(ids []string) *rowFault {
	text := "unable to obtain exclusive access to this record"
	if len(ids) > 0 {
		text += " or " + itoa(len(ids)) + " records: " + strings.Join(ids, ",")
	}
	return rowError("UNABLE_TO_LOCK_ROW", text)
}
