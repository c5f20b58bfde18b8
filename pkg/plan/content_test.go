package plan

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"migrate/pkg/salesforce"
)

// TestContents: which field holds a content, what tells of it, and what is added to a query for it.
func TestContents(t *testing.T) {
	t.Parallel()
	object := func(name string, fields ...string) *salesforce.SObject {
		o := &salesforce.SObject{Name: name, Queryable: true, Fields: []salesforce.Field{{Name: "Id", Type: "id"}}}
		for _, f := range fields {
			name, kind, _ := strings.Cut(f, " ")
			o.Fields = append(o.Fields, salesforce.Field{Name: name, Type: kind})
		}
		return o
	}
	version := object("ContentVersion", "Title string", "PathOnClient string", "FileExtension string", "VersionData base64", "ContentSize int", "Checksum string", "SystemModstamp datetime", "FileType string")
	for _, tt := range []struct {
		name   string
		object *salesforce.SObject
		query  string
		want   Content
		fields string
		say    string
	}{
		{"versions", version, "SELECT title FROM ContentVersion", Content{Field: "VersionData", Length: "ContentSize", Checksum: "Checksum", Extension: "FileExtension", FileName: "PathOnClient"},
			"Title, Id, ContentSize, Checksum, FileExtension, PathOnClient", ""},
		{"all fields", version, "ContentVersion", Content{Field: "VersionData", Length: "ContentSize", Checksum: "Checksum", Extension: "FileExtension", FileName: "PathOnClient"},
			"Id, Title, PathOnClient, FileExtension, ContentSize, Checksum, SystemModstamp, FileType", ""},
		{"attachments", object("Attachment", "Name string", "Body base64", "BodyLength int", "LastModifiedDate datetime", "SystemModstamp datetime", "ContentType string"), "SELECT id FROM Attachment",
			Content{Field: "Body", Length: "BodyLength", Stamp: "SystemModstamp", FileName: "Name"}, "Id, BodyLength, SystemModstamp, Name", ""},
		{"documents", object("Document", "Name string", "Type string", "Body base64", "BodyLength int", "LastModifiedDate datetime"), "SELECT Id FROM Document",
			Content{Field: "Body", Length: "BodyLength", Stamp: "LastModifiedDate", Extension: "Type"}, "Id, BodyLength, LastModifiedDate, Type", ""},
		{"log files", object("EventLogFile", "LogFile base64", "LogFileLength double", "EventType picklist", "CreatedDate datetime"), "SELECT Id FROM EventLogFile",
			Content{Field: "LogFile", Length: "LogFileLength"}, "Id, LogFileLength", ""},
		{"no content", object("Account", "Name string"), "Account", Content{}, "", "Account has not exactly one field with a content, of type base64, but none"},
		{"two contents", object("Odd", "A base64", "B base64"), "Odd", Content{}, "", "but A, B"},
		{"no length", object("Odd", "Name string", "A base64"), "Odd", Content{}, "", "no field that says how long A is"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := Export{Query: tt.query, Files: "contents"}
			x, err := e.Compile(func(string) (*salesforce.SObject, error) { return tt.object, nil })
			if tt.say != "" {
				var findings *Error
				if !errors.As(err, &findings) || !strings.Contains(err.Error(), tt.say) {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&tt.want, x.Content); diff != "" || x.Query.Fields != tt.fields {
				t.Errorf("%s\n%s", diff, x.Query.Fields)
			}
			e.Files = ""
			if x, err := e.Compile(func(string) (*salesforce.SObject, error) { return tt.object, nil }); err != nil || x.Content != nil {
				t.Errorf("without files: %+v, %v", x.Content, err)
			}
		})
	}
}

func TestReadFiles(t *testing.T) {
	t.Parallel()
	text := func(files string) string {
		return "version: 1\njobs:\n  a:\n    export: ContentVersion\n    to: a.csv\n    files: " + files + "\n"
	}
	p, err := read("/plans/p.yaml", text("lake/{run_date}/"), environment)
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.Exports[0].SettleFiles(map[string]string{"run_date": "2026-03-01"})
	if want := filepath.FromSlash("/plans/lake/2026-03-01"); got != want || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := p.Exports[0].SettleFiles(nil); err == nil {
		t.Error("a name that nobody knows was taken")
	}
	for _, odd := range []string{"s3://bucket/x/", "sqlite:x.db", "[a, b]"} {
		if _, err := read("/plans/p.yaml", text(odd), environment); err == nil || !strings.Contains(err.Error(), "p.yaml:6") {
			t.Errorf("%s: %v", odd, err)
		}
	}
}
