package plan

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf16"
)

// ReadSDL reads a mapping file of Salesforce Data Loader (.sdl) as it is: a Java properties file whose keys are source columns
// and whose values are fields. Columns are compared without case. A column without a line is not sent.
//
//	Company\ Name=Name                              one column to one field
//	STATE=BillingState, ShippingState               to several fields
//	STREET1, STREET2=BillingStreet                  several columns in one, joined by ", "
//	PARENT_NO=Parent\:Account-Legacy_Id__c          a lookup by a key of the parent; Parent\:Legacy_Id__c in older files
//	"Aerospace"=Industry                            a constant
//	UNUSED=                                         a column that is not sent
func ReadSDL(path string) ([]Field, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read mapping: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, largest+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read mapping: %w", err)
	case len(data) > largest:
		return nil, fmt.Errorf("read mapping: %s is larger than %d bytes; is it a mapping?", path, largest)
	}
	lines, err := properties(latin1(data))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var constants, columns []Field
	for _, p := range lines {
		list, err := p.fields()
		if err != nil {
			return nil, fmt.Errorf("%s: line %d: %w", path, p.line, err)
		}
		for _, f := range list {
			if f.Line = p.line; f.Const != nil {
				constants = append(constants, f)
			} else {
				columns = append(columns, f)
			}
		}
	}
	return winners(constants, columns), nil
}

// winners lets constants win over columns, as Data Loader does.
func winners(constants, columns []Field) []Field {
	taken := map[string]bool{}
	for _, f := range constants {
		taken[strings.ToLower(f.To)] = true
	}
	var out []Field
	for _, f := range columns {
		if f.To == "" || !taken[strings.ToLower(f.To)] {
			out = append(out, f)
		}
	}
	return append(out, constants...)
}

// fields makes fields of one line.
func (p property) fields() ([]Field, error) {
	var origin Field
	switch key := strings.TrimSpace(p.key); {
	case key == "":
		return nil, fmt.Errorf("the column is missing before the =")
	case len(key) > 1 && key[0] == '"' && key[len(key)-1] == '"':
		value := key[1 : len(key)-1]
		origin.Const = &value
	case strings.Contains(key, ","):
		for part := range strings.SplitSeq(key, ",") {
			if part = strings.TrimSpace(part); part != "" {
				origin.Columns = append(origin.Columns, part)
			}
		}
		origin.With = ", "
	default:
		origin.From = key
	}
	var list []Field
	for target := range strings.SplitSeq(p.value, ",") {
		if target = strings.TrimSpace(target); target == "" {
			continue
		}
		f := origin
		f.To = target
		if rel, parent, ok := strings.Cut(target, ":"); ok {
			object, key, both := strings.Cut(parent, "-")
			if !both {
				object, key = "", parent
			}
			if rel == "" || key == "" {
				return nil, fmt.Errorf("%s is no lookup; it is written Relationship\\:Object-Field", target)
			}
			f.To, f.ParentType = rel+"."+key, object
		}
		list = append(list, f)
	}
	if len(list) == 0 && origin.From != "" {
		list = append(list, origin) // named, and not sent
	}
	return list, nil
}

// property is one line of a Java properties file.
type property struct {
	key, value string
	line       int
}

// properties reads the form of java.util.Properties: comments after # or !, a key up to the first =, : or blank that is not
// escaped, escapes \t \n \r \f \uXXXX, and lines that go on after a \ at their end.
func properties(text string) ([]property, error) {
	var list []property
	lines := strings.Split(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text), "\n")
	for i := 0; i < len(lines); i++ {
		line, number := strings.TrimLeft(lines[i], " \t\f"), i+1
		if line == "" || line[0] == '#' || line[0] == '!' {
			continue
		}
		for goesOn(line) && i+1 < len(lines) {
			i++
			line = line[:len(line)-1] + strings.TrimLeft(lines[i], " \t\f")
		}
		if goesOn(line) {
			line = line[:len(line)-1]
		}
		end := keyEnd(line)
		rest := strings.TrimLeft(line[end:], " \t\f")
		if rest != "" && (rest[0] == '=' || rest[0] == ':') {
			rest = strings.TrimLeft(rest[1:], " \t\f")
		}
		key, err := unescapeProperty(line[:end])
		if err == nil {
			rest, err = unescapeProperty(rest)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		list = append(list, property{key, rest, number})
	}
	return list, nil
}

// goesOn is true for a line that ends with an odd number of backslashes.
func goesOn(line string) bool {
	n := len(line) - len(strings.TrimRight(line, `\`))
	return n%2 == 1
}

// keyEnd finds where the key of a line ends. Blanks end a key in Java; Data Loader writes them escaped, but people who edit
// these files do not, nor in quotes: a line with an = keeps the blanks before it.
func keyEnd(line string) int {
	blank := -1
	quoted := line[0] == '"'
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '\\':
			i++
		case c == '"' && i > 0:
			quoted = false
		case (c == '=' || c == ':') && !quoted:
			return len(strings.TrimRight(line[:i], " \t\f"))
		case (c == ' ' || c == '\t' || c == '\f') && blank < 0:
			blank = i
		}
	}
	if blank >= 0 {
		return blank
	}
	return len(line)
}

func unescapeProperty(s string) (string, error) {
	if !strings.Contains(s, `\`) {
		return s, nil
	}
	var units []uint16
	var b strings.Builder
	flush := func() {
		b.WriteString(string(utf16.Decode(units)))
		units = units[:0]
	}
	runes := []rune(s)
	for i := 0; i < len(runes); i++ {
		if runes[i] != '\\' || i+1 == len(runes) {
			flush()
			b.WriteRune(runes[i])
			continue
		}
		i++
		switch c := runes[i]; c {
		case 'u':
			var u uint16
			if i+4 >= len(runes) {
				return "", fmt.Errorf(`\u is followed by four hex digits`)
			}
			if _, err := fmt.Sscanf(string(runes[i+1:i+5]), "%04x", &u); err != nil {
				return "", fmt.Errorf(`\u is followed by four hex digits, not %s`, quote(string(runes[i+1:i+5])))
			}
			units = append(units, u) // two of them may make one character
			i += 4
		default:
			flush()
			b.WriteString(map[rune]string{'t': "\t", 'n': "\n", 'r': "\r", 'f': "\f"}[c])
			if !strings.ContainsRune("tnrf", c) {
				b.WriteRune(c)
			}
		}
	}
	flush()
	return b.String(), nil
}

// latin1 reads ISO-8859-1, as Java does.
func latin1(data []byte) string {
	runes := make([]rune, len(data))
	for i, c := range data {
		runes[i] = rune(c)
	}
	return string(runes)
}
