package localorg

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// The content of a field of type base64 lies in a file beside the uploads, named by its MD5; equal contents share one. The record has the
// name and the size: "9e107d9d372bb6826bd81d3542a419d6 43". A file stays for as long as the folder does, whatever becomes of its records.

var fileRoutes = []route{
	{pattern: "sobjects/Attachment/{}/Body", methods: map[string]handler{"GET": contentOf("Attachment", "Body")}},
	{pattern: "sobjects/ContentVersion/{}/VersionData", methods: map[string]handler{"GET": contentOf("ContentVersion", "VersionData")}},
}

var fileMark = regexp.MustCompile(`^[0-9a-f]{32} [0-9]+$`)

// SaveFile is Save for a record with a field of type base64, such as Attachment.Body, which gets the bytes of content.
func (o *Org) SaveFile(object string, values map[string]string, content io.Reader, stamp time.Time) (id string, err error) {
	obj := o.schema.object(object)
	if obj == nil {
		return "", errNoObject(object)
	}
	f := obj.shape().file
	if f == nil {
		return "", fmt.Errorf("object %s has no field of type base64", obj.Name)
	}
	mark, err := o.keepContent(content)
	if err != nil {
		return "", err
	}
	all := map[string]string{f.Name: mark}
	for name, v := range values {
		if strings.EqualFold(name, f.Name) {
			return "", fmt.Errorf("field %s is what content is for", f.Name)
		}
		all[name] = v
	}
	return o.Save(object, all, stamp)
}

// keepContent stores bytes and gives what the record has of them. Callers do not hold the lock.
func (o *Org) keepContent(content io.Reader) (mark string, err error) {
	dir, err := o.uploadDir()
	if err != nil {
		return "", err
	}
	f, err := os.CreateTemp(dir, "*.part") // what a process leaves of these is swept
	if err != nil {
		return "", err
	}
	sum := md5.New()
	n, err := io.Copy(io.MultiWriter(f, sum), content)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, fmt.Sprintf("%x.file", sum.Sum(nil))))
	}
	if err != nil {
		os.Remove(f.Name())
		return "", fmt.Errorf("keep a file: %w", err)
	}
	return fmt.Sprintf("%x %d", sum.Sum(nil), n), nil
}

// keepContents stores the contents that entries bring as base64, and puts in their place what records have of them.
func (o *Org) keepContents(list []entry) error {
	for i := range list {
		e := &list[i]
		if e.fault != nil || e.obj.shape().file == nil { // what has a fault may have no object
			continue
		}
		for name, raw := range e.values {
			f := e.obj.field(name)
			if f == nil || f.kind != kindFile || len(raw) == 0 || raw[0] != '"' || string(raw) == `""` {
				continue // what is no text is refused later
			}
			var text string
			if err := json.Unmarshal(raw, &text); err != nil {
				return err
			}
			content, err := base64.StdEncoding.DecodeString(text)
			if err != nil { // code and text are a guess
				e.fault = rowError(jsonFault, "Cannot deserialize instance of base64 from VALUE_STRING value or request may be missing a required field")
				continue
			}
			mark, err := o.keepContent(bytes.NewReader(content))
			if err != nil {
				return err
			}
			e.values[name], _ = json.Marshal(mark)
		}
	}
	return nil
}

// contentOf answers with the bytes of a field.
func contentOf(object, name string) handler {
	return func(o *Org, c *call) error { return o.content(c, object, c.args[0], name) }
}

func (o *Org) content(c *call, object, id, name string) error {
	obj, err := o.objectOf(object)
	if err != nil {
		return err
	}
	f := obj.field(name)
	if f == nil || f.kind != kindFile {
		return errNotFound
	}
	o.mu.RLock()
	t := o.table(obj)
	var mark []byte
	if ord, err := t.named(id); err == nil && !t.inBin(ord) {
		mark = bytes.Clone(t.record(ord).raw(f.index))
	}
	dir := o.dir
	o.mu.RUnlock()
	sum, size, ok := strings.Cut(string(mark), " ")
	if !ok { // of a field that is null a guess
		return errNotFound
	}
	file, err := os.Open(filepath.Join(dir, sum+".file"))
	if err != nil {
		return fmt.Errorf("the file of %s.%s of %s: %w", obj.Name, f.Name, id, err)
	}
	defer file.Close()
	c.w.Header().Set("Content-Type", "application/octet-stream")
	c.w.Header().Set("Content-Length", size)
	c.w.WriteHeader(http.StatusOK)
	if _, err := io.CopyBuffer(struct{ io.Writer }{c.w}, struct{ io.Reader }{file}, make([]byte, 64<<10)); err != nil {
		panic(http.ErrAbortHandler) // the answer has begun; all that is left is to cut it
	}
	return nil
}

// ofFile gives the fields that the org works out from the content and the name of a file; nil for others. Where it is not told otherwise the
// type of a file is its extension in capitals, which is a guess for most.
func ofFile(s *shape, r record, name string) []byte {
	if s.file == nil {
		return nil
	}
	sum, size, ok := bytes.Cut(r.raw(s.file.index), []byte{' '})
	if !ok {
		return nil
	}
	path := func() string {
		if f := s.byName["pathonclient"]; f != nil {
			at := string(r.raw(f.index))
			return at[strings.LastIndexAny(at, `/\`)+1:]
		}
		return ""
	}
	switch name {
	case "BodyLength", "ContentSize":
		return size
	case "Checksum":
		return sum
	case "Title":
		return orNull(strings.TrimSuffix(path(), filepath.Ext(path())))
	case "FileExtension":
		return orNull(strings.ToLower(strings.TrimPrefix(filepath.Ext(path()), ".")))
	case "FileType":
		switch ext := strings.ToUpper(strings.TrimPrefix(filepath.Ext(path()), ".")); ext {
		case "":
			return []byte("UNKNOWN")
		case "TXT":
			return []byte("TEXT")
		default:
			return []byte(ext)
		}
	}
	return nil
}

func orNull(text string) []byte {
	if text == "" {
		return nil
	}
	return []byte(text)
}

// publish makes a new ContentVersion the latest of its document, and the document where it names none. The version that was the latest so far
// changes with it (guess: that its SystemModstamp moves).
func (s *saver) publish(t *table, ord uint32) {
	if t.obj.Name != "ContentVersion" || s.org.schema.object("ContentDocument") == nil {
		return
	}
	docs := s.org.table(s.org.schema.object("ContentDocument"))
	version, number := t.obj.shape(), 1
	id := t.id(ord).append(nil)
	docID, _ := parseID(stored(version, t.record(ord), "ContentDocumentId"))
	at, ok := docs.ordinal(docID)
	ok = ok && docID.prefix() == docs.obj.KeyPrefix
	var doc record
	if ok {
		doc = docs.record(at)
		if last, ok := parseID(stored(docs.obj.shape(), doc, "LatestPublishedVersionId")); ok {
			if before, ok := t.ordinal(last); ok {
				old := t.record(before)
				fmt.Sscan(string(stored(version, old, "VersionNumber")), &number)
				number++
				if f := version.byName["islatest"]; f != nil {
					s.applyOther(t, opReplace, before, withoutField(old, f.index, s.now))
				}
			}
		}
		times := doc.stamps()
		times.modified, times.stamp = s.now, s.now
		doc = append(appendRecordHead(nil, 0, times), doc[recordHead:]...)
	} else {
		at = uint32(len(docs.places))
		doc = appendRecordHead(nil, 0, stamps{s.now, s.now, s.now})
	}
	r := t.record(ord)
	doc = with(doc, docs.obj.shape(), "LatestPublishedVersionId", id)
	for _, name := range []string{"Title", "FileExtension", "FileType", "ContentSize", "OwnerId"} {
		v := stored(version, r, name)
		if v == nil {
			v = ofFile(version, r, name)
		}
		doc = with(doc, docs.obj.shape(), name, v)
	}
	if ok {
		s.applyOther(docs, opReplace, at, doc)
	} else {
		s.applyOther(docs, opInsert, at, doc)
	}
	r = with(r, version, "ContentDocumentId", docs.id(at).append(nil))
	r = with(r, version, "IsLatest", valueTrue)
	r = with(r, version, "VersionNumber", []byte(itoa(number)))
	s.applyOther(t, opReplace, ord, r)
}

// stored is the stored value of a field by its name; nil where there is no such field.
func stored(s *shape, r record, name string) []byte {
	if f := s.byName[strings.ToLower(name)]; f != nil {
		return r.raw(f.index)
	}
	return nil
}

// with is a record with a value for a field, if there is such a field.
func with(r record, s *shape, name string, v []byte) record {
	if f := s.byName[strings.ToLower(name)]; f != nil {
		return withField(r, f.index, v)
	}
	return r
}
