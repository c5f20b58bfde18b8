package localorg

// queryColumn describes a column of a query's answer: query?q=…&columns=true, which the Salesforce CLI asks for its tables.
// (1 source: clients' code and recorded answers)
type queryColumn struct {
	Aggregate   bool          `json:"aggregate"`
	ApexType    string        `json:"apexType"`
	BooleanType bool          `json:"booleanType"`
	ColumnName  string        `json:"columnName"`
	Custom      bool          `json:"custom"`
	DisplayName string        `json:"displayName"`
	ForeignKey  *string       `json:"foreignKeyName"`
	Insertable  bool          `json:"insertable"`
	Join        []queryColumn `json:"joinColumns"`
	NumberType  bool          `json:"numberType"`
	TextType    bool          `json:"textType"`
	Updatable   bool          `json:"updatable"`
}

func (o *Org) queryColumns(c *call, q *soql) error {
	columns := joinColumns(q.fields, 0)
	idSelected := false
	for _, p := range q.fields {
		idSelected = idSelected || len(p.steps) == 0 && p.field.kind == kindID
	}
	for _, a := range q.aggregates {
		columns = append(columns, queryColumn{Aggregate: true, ApexType: apexType(a.path.field), ColumnName: a.alias, DisplayName: a.function, Join: []queryColumn{}})
	}
	for _, child := range q.children {
		columns = append(columns, queryColumn{Aggregate: true, ApexType: child.query.from.Name, ColumnName: child.name, DisplayName: child.name, Join: joinColumns(child.query.fields, 0)})
	}
	return c.reply(200, map[string]any{"columnMetadata": columns, "entityName": q.from.Name, "groupBy": false, "idSelected": idSelected, "keyPrefix": q.from.KeyPrefix})
}

// joinColumns nests the columns that lie behind one lookup.
func joinColumns(paths []path, depth int) []queryColumn {
	columns := []queryColumn{}
	done := map[*field]bool{}
	for _, p := range paths {
		if len(p.steps) == depth {
			f := p.field
			columns = append(columns, queryColumn{ApexType: apexType(f), BooleanType: f.kind == kindBool, ColumnName: f.Name, Custom: isCustom(f.Name), DisplayName: f.Name,
				Insertable: f.Createable, Join: []queryColumn{}, NumberType: f.kind == kindInt || f.kind == kindDouble, TextType: f.kind <= kindMulti, Updatable: f.Updateable})
			continue
		}
		step := p.steps[depth]
		if done[step] {
			continue
		}
		done[step] = true
		var same []path
		for _, other := range paths {
			if len(other.steps) > depth && other.steps[depth] == step {
				same = append(same, other)
			}
		}
		columns = append(columns, queryColumn{ApexType: p.refs[depth].Name, ColumnName: step.RelationshipName, Custom: isCustom(step.Name), DisplayName: step.RelationshipName,
			ForeignKey: &step.Name, Insertable: step.Createable, Join: joinColumns(same, depth+1), Updatable: step.Updateable})
	}
	return columns
}

func apexType(f *field) string {
	switch f.kind {
	case kindID, kindReference:
		return "Id"
	case kindInt:
		return "Integer"
	case kindDouble:
		return "Double"
	case kindBool:
		return "Boolean"
	case kindDate:
		return "Date"
	case kindDatetime:
		return "Datetime"
	case kindTime:
		return "Time"
	case kindCompound:
		return "Address"
	}
	return "String"
}
