package plan

import _ "embed" // for the schema

// Schema is a JSON Schema of plan files, for editors. Read knows more than it can say.
//
//go:embed plan.schema.json
var Schema []byte
