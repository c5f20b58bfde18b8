package plan

import (
	"migrate/pkg/bulk2"
	"migrate/pkg/transform"
)

// Version is the version of plan files that Read understands.
const Version = 1

// Plan is a plan file, read and checked for form. Stored as JSON it comes back the same.
type Plan struct {
	Version int    `json:"version"`
	Org     string `json:"org,omitempty"` // name of the org; "" = the plan does not say
	Jobs    []Job  `json:"jobs"`          // loads, in the order of the file
	// Exports stand in the file between them; Line says where.
	Exports []Export `json:"exports,omitempty"`
	Path    string   `json:"path,omitempty"`
}

// Job loads one source into one object. It is made by Read, or by hand for a load without a plan.
type Job struct {
	Name      string          `json:"name"`
	Object    string          `json:"object"` // API name
	Operation bulk2.Operation `json:"operation"`
	Key       string          `json:"key,omitempty"` // of an upsert: an external id field, an idLookup field, or Id
	Source    Source          `json:"source"`
	Fields    []Field         `json:"fields,omitempty"`
	Nulls     transform.Nulls `json:"nulls,omitempty"`    // for fields that do not say; "" = keep
	Where     string          `json:"where,omitempty"`    // an expression that is true for the rows to send; "" = all
	Timezone  string          `json:"timezone,omitempty"` // of times that name none, for fields that do not say

	// ID is the source column that names a row; other jobs refer to rows by it. "" = none.
	ID string `json:"id,omitempty"`
	// Unique are source columns in which, taken together, no two rows may be the same.
	Unique []string `json:"unique,omitempty"`
	// GroupByParent names the lookup by which rows are grouped, so that children of one parent do not lock each other out; "auto" or ""
	// finds one where it matters, "off" leaves the rows as they are.
	GroupByParent string `json:"group_by_parent,omitempty"`
	// First is the job whose rows this one sets lookups of, when all are loaded; "" = it is no second pass.
	First string `json:"first,omitempty"`
	// Later are the source columns that the second pass of this job uses.
	Later []string `json:"later,omitempty"`

	// AutoMap sends each source column that Fields does not name to the field of the same name or label. A column without such a
	// field is a finding, or with IgnoreUnmapped it is not sent.
	AutoMap        bool  `json:"auto_map,omitempty"`
	FoldColumns    bool  `json:"fold_columns,omitempty"` // names of source columns are compared without case
	IgnoreUnmapped bool  `json:"ignore_unmapped,omitempty"`
	Limit          int64 `json:"limit,omitempty"` // source rows to read; 0 = all

	Path string `json:"path,omitempty"` // the plan file; "" = none
	Line int    `json:"line,omitempty"` // where the job stands in it; 0 = no file
}
