package main

import (
	"crypto/sha256"
	"encoding/csv"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// contentCalls are how contents are fetched.
var contentCalls = []string{"GET sobjects/ContentVersion/{}/VersionData", "GET sobjects/Attachment/{}/Body"}

// randomBytes follow from a seed.
func randomBytes(seed, n int64) io.Reader {
	var key [32]byte
	copy(key[:], fmt.Sprint(seed))
	return io.LimitReader(rand.NewChaCha8(key), n)
}

// addContents puts content versions or attachments into the org, a minute old: random bytes, each about as long, every tenth without any.
func (o *scriptOrg) addContents(ts *testscript.TestScript, object string, n, size int) {
	if o.contents == nil {
		o.contents = map[string][32]byte{}
	}
	name, values := "PathOnClient", map[string]string{}
	if object == "Attachment" {
		parent, err := o.Save("Account", map[string]string{"Name": "A"}, time.Now().Add(-time.Minute))
		ts.Check(err)
		name, values["ParentId"] = "Name", parent
	}
	for range n {
		i := int64(len(o.contents))
		length := int64(size) + i%7
		if i%10 == 9 {
			length = 0
		}
		sum := sha256.New()
		values[name] = fmt.Sprintf(`..\dir/../Plan %d: "A/B".P%d`, i, i%3)
		id, err := o.SaveFile(object, values, io.TeeReader(randomBytes(i, length), sum), time.Now().Add(-time.Minute))
		ts.Check(err)
		o.contents[id] = [32]byte(sum.Sum(nil))
	}
}

// checkContents holds a folder against the org: each content of it in one file of its own, and nothing else but lists, which name them all.
func (o *scriptOrg) checkContents(ts *testscript.TestScript, dir string) {
	listed := map[string]string{} // file by Id
	lists, err := filepath.Glob(filepath.Join(dir, "files*.csv"))
	ts.Check(err)
	for _, path := range lists {
		f, err := os.Open(path)
		ts.Check(err)
		lines, err := csv.NewReader(f).ReadAll()
		ts.Check(err)
		ts.Check(f.Close())
		for _, line := range lines[1:] {
			want := o.contents[line[0]]
			if line[4] != "there" || line[3] != fmt.Sprintf("%x", want) {
				ts.Fatalf("%s says %v, want %x", path, line, want)
			}
			listed[line[0]] = line[1]
		}
	}
	entries, err := os.ReadDir(dir)
	ts.Check(err)
	files := map[string]bool{}
	for _, e := range entries {
		if e.IsDir() {
			ts.Fatalf("%s has a folder %s", dir, e.Name())
		}
		if strings.HasPrefix(e.Name(), "files") || strings.HasSuffix(e.Name(), ".lock") {
			continue
		}
		files[e.Name()] = true
	}
	for id, want := range o.contents {
		name := listed[id]
		if !files[name] || !strings.HasPrefix(name, id+".p") {
			ts.Fatalf("the content of %s is not there: %q", id, name)
		}
		delete(files, name)
		f, err := os.Open(filepath.Join(dir, name))
		ts.Check(err)
		sum := sha256.New()
		_, err = io.Copy(sum, f)
		ts.Check(err)
		ts.Check(f.Close())
		if [32]byte(sum.Sum(nil)) != want {
			ts.Fatalf("%s is not what the org has", name)
		}
	}
	if len(files) > 0 || len(listed) != len(o.contents) {
		ts.Fatalf("%d contents are listed of %d, and there is more: %v", len(listed), len(o.contents), files)
	}
}
