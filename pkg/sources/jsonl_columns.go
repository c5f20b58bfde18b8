package sources

import "slices"

// jsonColumns are the keys that are known, by their paths.
type jsonColumns struct {
	nodes map[string]*jsonNode
	order []string // as they were first met
	line  int64    // counts lines, to tell what was seen in the present one
}

// jsonNode is a key: of a value, of an object, or of both, in different lines.
type jsonNode struct {
	column int  // number of the column; none
	value  bool // there are values other than null
	null   bool // there are nulls
	object bool
	seen   int64 // the line in which it was met last
}

// newJSONColumns knows the given columns, and the objects that they are in.
func newJSONColumns(columns []string) *jsonColumns {
	c := &jsonColumns{nodes: map[string]*jsonNode{}}
	for i, name := range columns {
		c.node([]byte(name)).column = i
		for k := range name {
			if name[k] == '.' {
				c.node([]byte(name[:k])).object = true
			}
		}
	}
	return c
}

// node is the key of that path, which is known from then on.
func (c *jsonColumns) node(path []byte) *jsonNode {
	if n := c.nodes[string(path)]; n != nil {
		return n
	}
	n := &jsonNode{column: none}
	c.nodes[string(path)] = n
	c.order = append(c.order, string(path))
	return n
}

// columns are the keys of values. One that was only ever null is a column, too, unless it is elsewhere an object.
func (c *jsonColumns) columns() []string {
	return slices.DeleteFunc(slices.Clone(c.order), func(name string) bool {
		n := c.nodes[name]
		return !n.value && (n.object || !n.null)
	})
}
