package plan

import (
	"slices"

	"migrate/pkg/bulk2"
)

// after names the jobs whose rows must be in the org before the rows of this one are read.
func (c *compiler) after() []string {
	var names []string
	if c.First != "" {
		names = append(names, c.First)
	}
	for _, t := range c.targets {
		if t.Ref != nil && t.Ref.Job != c.Name {
			names = append(names, t.Ref.Job)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// turns names the objects for which the job takes turns with others. It writes records of its own object, and it locks the parents of
// those: Salesforce locks a parent while its children are saved or deleted, so two jobs with a parent in common would make rows of each
// other fail. New records have the parents that the job gives them, others have some already. It reads what it looks up in the org.
func (c *compiler) turns() (writes, reads []string) {
	writes = []string{c.object.Name}
	lock := func(parents []string) {
		for _, o := range parents {
			if !slices.Contains(neverLocked, o) {
				writes = append(writes, o)
			}
		}
	}
	if c.Operation != bulk2.Insert {
		for _, f := range c.object.Fields {
			lock(f.ReferenceTo)
		}
	}
	for _, t := range c.targets {
		parents := t.field.ReferenceTo
		switch {
		case t.Ref != nil && t.Ref.Object != "":
			parents = []string{t.Ref.Object}
		case t.Lookup != nil:
			parents = []string{t.lookup.Object}
			reads = append(reads, t.lookup.Object)
		}
		for _, o := range parents {
			if slices.Contains(neverLocked, o) {
				reads = append(reads, o)
			}
		}
		if t.field.Type == "reference" {
			lock(parents)
		}
	}
	slices.Sort(writes)
	slices.Sort(reads)
	return slices.Compact(writes), slices.Compact(reads)
}

// neverLocked are the parents that are not locked for their children.
var neverLocked = []string{"User", "Group", "Queue", "RecordType", "Profile", "UserRole"}
