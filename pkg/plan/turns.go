package plan

import "slices"

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

// touches names the objects whose records the job writes, and those that its lookups lead to: Salesforce locks a parent while
// its children are saved, so two jobs with a parent in common would make rows of each other fail.
func (c *compiler) touches() []string {
	objects := []string{c.object.Name}
	for _, t := range c.targets {
		switch {
		case t.Ref != nil && t.Ref.Object != "":
			objects = append(objects, t.Ref.Object)
		case t.field.Type == "reference":
			objects = append(objects, t.field.ReferenceTo...)
		}
	}
	objects = slices.DeleteFunc(objects, func(o string) bool { return slices.Contains(neverLocked, o) })
	slices.Sort(objects)
	return slices.Compact(objects)
}

// neverLocked are the parents that are not locked for their children.
var neverLocked = []string{"User", "Group", "Queue", "RecordType", "Profile", "UserRole"}
