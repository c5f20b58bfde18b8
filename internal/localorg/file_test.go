package localorg

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// What was put in by either way comes out byte by byte, in another process, too, and a download can be cut.
func TestFilesComeBack(t *testing.T) {
	t.Parallel()
	rng := random(t)
	dir := t.TempDir()
	c := open(t, Config{Dir: dir})
	parent, err := c.org.Save("Account", map[string]string{"Name": "a"}, time.Now())
	c.must(err)
	contents := map[string][]byte{} // by address
	for i := range 40 {
		content := make([]byte, rng.IntN(5)*rng.IntN(30_000))
		for i := range content {
			content[i] = byte(rng.Uint32())
		}
		if i%4 == 0 {
			content = []byte("the same")
		}
		at := time.Now().Add(-time.Duration(i) * time.Hour)
		if i%2 == 0 || len(content) == 0 {
			id, err := c.org.SaveFile("ContentVersion", map[string]string{"PathOnClient": "a.bin"}, bytes.NewReader(content), at)
			c.must(err)
			contents["sobjects/ContentVersion/"+id+"/VersionData"] = content
			continue
		}
		var s struct {
			ID string `json:"id"`
		}
		c.json("POST", "sobjects/Attachment", map[string]string{"Name": "n", "ParentId": parent, "Body": base64.StdEncoding.EncodeToString(content)}, 201, &s)
		contents["sobjects/Attachment/"+s.ID+"/Body"] = content
	}
	again := open(t, Config{Dir: copyDir(t, dir)})
	if diff := cmp.Diff(dump(c.org), dump(again.org)); diff != "" {
		t.Errorf("records differ after the org is opened again (-before +after)\n%s", diff)
	}
	for _, c := range []*client{c, again} {
		for path, want := range contents {
			if a := c.get(path); a.status != 200 || a.body != string(want) || a.header.Get("Content-Length") != fmt.Sprint(len(want)) {
				t.Errorf("%s: %d, %d bytes, want %d", path, a.status, len(a.body), len(want))
			}
		}
		for _, row := range c.values("ContentVersion", "Id", "Checksum", "ContentSize") {
			want := contents["sobjects/ContentVersion/"+row[0]+"/VersionData"]
			if row[1] != fmt.Sprintf("%x", md5.Sum(want)) || row[2] != fmt.Sprint(len(want)) {
				t.Errorf("%v, want %x, %d", row, md5.Sum(want), len(want))
			}
		}
	}
	id, err := c.org.SaveFile("Attachment", map[string]string{"Name": "n", "ParentId": parent}, strings.NewReader(strings.Repeat("x", 1000)), time.Now())
	c.must(err)
	c.must(c.org.Fault(Fault{Endpoint: "GET sobjects/Attachment/{}/Body", Kind: FaultCut, Bytes: 10}))
	if a, err := c.try("GET", "sobjects/Attachment/"+id+"/Body", "", ""); err == nil || len(a.body) > 10 {
		t.Errorf("a download that is cut: %d bytes, %v", len(a.body), err)
	}
	if _, err := c.org.SaveFile("Account", nil, strings.NewReader(""), time.Now()); err == nil {
		t.Error("an account took a file")
	}
	if _, err := c.org.SaveFile("Attachment", map[string]string{"Name": "n", "ParentId": parent}, io.MultiReader(strings.NewReader("x"), failing{io.ErrUnexpectedEOF}), time.Now()); err == nil {
		t.Error("half a file was taken")
	}
	if n := c.org.Count("Attachment"); n != again.org.Count("Attachment")+1 {
		t.Errorf("%d attachments", n)
	}
}

// Files lie on the disk: what the org holds in memory does not grow with them.
func TestFilesAreNotInMemory(t *testing.T) {
	c := open(t, Config{}) // not parallel: it measures the memory of the process
	content := make([]byte, 1<<20)
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	for i := range 50 {
		content[0] = byte(i)
		_, err := c.org.SaveFile("ContentVersion", map[string]string{"PathOnClient": "a.bin"}, bytes.NewReader(content), time.Now())
		c.must(err)
	}
	if after := heap(); after > before+10<<20 {
		t.Errorf("50 MB of files take %d bytes", after-before)
	}
}

func BenchmarkSaveFile(b *testing.B) {
	o, err := Open(Config{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer o.Close()
	content := make([]byte, 1<<20)
	b.SetBytes(int64(len(content)))
	for i := 0; b.Loop(); i++ {
		content[0], content[1] = byte(i), byte(i>>8)
		if _, err := o.SaveFile("ContentVersion", map[string]string{"PathOnClient": "a.bin"}, bytes.NewReader(content), time.Now()); err != nil {
			b.Fatal(err)
		}
	}
}
