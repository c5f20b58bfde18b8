package plan

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// Content names the field of an object that holds the content of a file, and the columns that tell of it; "" = there is none such.
type Content struct {
	Field     string `json:"field"`               // of type base64; a query job does not give it
	Length    string `json:"length"`              // its bytes
	Checksum  string `json:"checksum,omitempty"`  // its MD5
	Stamp     string `json:"stamp,omitempty"`     // moves when the record changes; needed where there is no Checksum
	Extension string `json:"extension,omitempty"` // of the file
	FileName  string `json:"file_name,omitempty"` // has an extension at its end
}

// contents finds the content of an object whose files are wanted, and adds what tells of it to the query.
func (c *compiler) contents(e Export, x *Extract) {
	if e.Files == "" {
		return
	}
	var found []string
	for _, f := range c.object.Fields {
		if f.Type == "base64" {
			found = append(found, f.Name)
		}
	}
	if len(found) != 1 {
		has := "none"
		if len(found) > 1 {
			has = strings.Join(found, ", ")
		}
		c.find(nil, "files: %s has not exactly one field with a content, of type base64, but %s; take files out", c.object.Name, has)
		return
	}
	content := &Content{Field: found[0]}
	first := func(kinds []string, names ...string) string {
		for _, name := range names {
			if f := c.object.Field(name); f != nil && slices.Contains(kinds, f.Type) {
				return f.Name
			}
		}
		return ""
	}
	numbers, texts := []string{"int", "long", "double"}, []string{"string", "picklist"}
	content.Length = first(numbers, "ContentSize", "BodyLength", content.Field+"Length")
	if content.Length == "" {
		c.find(nil, "files: %s has no field that says how long %s is, so nobody could tell whether it came whole; take files out", c.object.Name, content.Field)
		return
	}
	if content.Checksum = first(texts, "Checksum"); content.Checksum == "" {
		content.Stamp = first([]string{"datetime"}, "SystemModstamp", "LastModifiedDate")
	}
	content.Extension = first(texts, "FileExtension")
	if content.Extension == "" && c.object.Name == "Document" {
		content.Extension = first(texts, "Type")
	}
	if content.FileName = first(texts, "PathOnClient"); content.FileName == "" && content.Extension == "" {
		content.FileName = first(texts, "Name")
	}
	x.Content = content
	for _, name := range []string{"Id", content.Length, content.Checksum, content.Stamp, content.Extension, content.FileName} {
		if name != "" {
			c.need(x, name)
		}
	}
}

// filesFolder is the folder of contents, relative to the plan.
func (r *reader) filesFolder(n ast.Node) string {
	path := r.targetPath("files", n)
	if err := CheckFiles(path); err != nil && path != "" {
		r.report(position(n), "files: %v", err)
	}
	return path
}

// CheckFiles refuses what is no folder for contents.
func CheckFiles(path string) error {
	if isAddress(path) || strings.Contains(path, "://") {
		return errors.New("the contents go to a folder, not to a database or another machine")
	}
	return nil
}

// SettleFiles is the folder of an export's contents as it is for one run; names are those of Target.Settle.
func (e Export) SettleFiles(names map[string]string) (string, error) {
	if e.Files == "" {
		return "", nil
	}
	path, err := named(e.Files, names)
	if err != nil {
		return "", fmt.Errorf("files: %w", err)
	}
	return filepath.Abs(path)
}
