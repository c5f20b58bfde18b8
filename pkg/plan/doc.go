// Package plan reads plan files and checks them against an org.
//
// A plan says what is loaded: jobs, each with a source, an object, an operation and a mapping. It is YAML:
//
//	version: 1
//	jobs:
//	  contacts:
//	    load: Contact
//	    operation: upsert                       # insert, update, upsert, delete or hardDelete
//	    key: Legacy_Id__c                       # of an upsert
//	    source: { csv: contacts.csv }           # or a list of files; relative to the plan; ${NAME} is an environment variable
//	    nulls: keep                             # what an empty value does: keep, clear or error; also per field
//	    fields:
//	      Legacy_Id__c: contact_no              # field: column
//	      LastName: { from: last, nulls: error }
//	      LeadSource: { const: Old CRM }
//	      Account.Legacy_Id__c: customer_no     # a lookup, set by a key of its parent
//
// A source may also have delimiter, quote, escape, encoding, skip_lines, header_lines and no_header; what is not given is
// found out from the file.
//
// It goes in two steps, and each finds all that is wrong and not the first only:
//
//	file ─Read─▶ Plan ─────────────────────────────▶ Job ─Compile─▶ pipeline.Job
//	     form: keys, types, names      describe, source columns ─┘  meaning: objects, fields, columns
//
// Read needs no org. Compile is given the source and a function that describes objects; it does no I/O of its own. Between the
// two a Plan can be stored as JSON and read back, so that a run that is resumed does not depend on the file any more. A Job
// can as well be made by hand, for a load that has no plan file; then AutoMap fills in the mapping.
//
// What is wrong with a plan is an *Error with one Finding for each fault: where it is, what it is, what to do. All other
// errors come from outside: the file cannot be read, the org does not answer. What is not wrong but should be known before
// rows are sent is in Decisions. Nothing is guessed: a column is sent only to the field that the plan names, or with AutoMap
// to the one that has its name, or its label where that leaves no choice, which a note then tells.
//
// Plans and jobs hold no state; all functions may be called from several goroutines at once.
package plan
