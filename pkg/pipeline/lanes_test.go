package pipeline_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"migrate/internal/localorg"
	"migrate/pkg/bulk2"
	"migrate/pkg/checkpoint"
	"migrate/pkg/pipeline"
	"migrate/pkg/salesforce"
	"migrate/pkg/sources"
	"migrate/pkg/transform"
)

// family is a load of children whose parents are in the org already.
type family struct {
	rows, parents int
	groups        int // 0 = the rows stay as they are
}

// load inserts the children on virtual time into an org that locks parents as the documents say, and tells how long that takes and what
// failed. The children are skewed: the n-th parent has a share of 1/n.
func (f family) load(t *testing.T) (took time.Duration, sum pipeline.Summary, dir string) {
	outer := t
	synctest.Test(t, func(t *testing.T) {
		org, err := localorg.Open(localorg.Config{AccessToken: "t", BatchTime: 5 * time.Minute, LockRetries: 1000, LockParents: []string{"Contact.AccountId"}})
		if err != nil {
			t.Fatal(err)
		}
		defer org.Close()
		sf, err := salesforce.Open(t.Context(), salesforce.Config{InstanceURL: "http://localhost", Auth: salesforce.AccessToken("t"), Transport: org.Transport()})
		if err != nil {
			t.Fatal(err)
		}
		var accounts, contacts strings.Builder
		accounts.WriteString("Legacy_Id__c,Name\n")
		for p := range f.parents {
			fmt.Fprintf(&accounts, "p%d,Parent %d\n", p, p)
		}
		contacts.WriteString("Legacy_Id__c,LastName,Account.Legacy_Id__c\n")
		r := rand.New(rand.NewPCG(3, 4))
		for i := range f.rows {
			p := int(float64(f.parents)*r.Float64()*r.Float64()*r.Float64()) % f.parents // many for the first few
			fmt.Fprintf(&contacts, "c%d,Child %d,p%d\n", i, i, p)
		}
		run := func(name, object, text string, groups int) pipeline.Summary {
			dir = outer.TempDir() // outlives the bubble
			path := filepath.Join(dir, name+".csv")
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			src, err := sources.OpenCSV([]string{path}, sources.CSVOptions{})
			if err != nil {
				t.Fatal(err)
			}
			job := pipeline.Job{Name: name, Object: object, Operation: bulk2.Insert, Source: src}
			if groups > 0 {
				spool := filepath.Join(dir, "rows.arrow")
				if err := sources.Group(t.Context(), src, sources.GroupOptions{Columns: []string{"Account.Legacy_Id__c"}, Groups: groups, Path: spool}); err != nil {
					t.Fatal(err)
				}
				if job.Source, err = sources.OpenGroups(spool, sources.SpoolOptions{}); err != nil {
					t.Fatal(err)
				}
				job.Grouped = true
			}
			var m transform.Mapping
			for _, c := range src.Schema().Fields() {
				m.Fields = append(m.Fields, transform.Field{To: c.Name, From: c.Name})
				job.Columns = append(job.Columns, pipeline.Column{Header: c.Name, Type: "string", Key: c.Name == "Legacy_Id__c"})
			}
			if job.Mapping, err = transform.Compile(m, src.Schema()); err != nil {
				t.Fatal(err)
			}
			var splits []checkpoint.Split
			for _, s := range job.Source.Splits() {
				spec, _ := json.Marshal(s)
				next, _ := json.Marshal(s.Start)
				splits = append(splits, checkpoint.Split{Job: name, ID: s.ID, Spec: string(spec), Next: string(next)})
			}
			store, err := checkpoint.Create(t.Context(), dir, checkpoint.Run{ID: "r", Created: time.Now(), Plan: "{}", Org: "{}"},
				[]checkpoint.Job{{Name: name, Object: object, Operation: "insert", Spec: "{}"}}, splits)
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close()
			sum, err := pipeline.Run(t.Context(), pipeline.Config{Dir: dir, Checkpoint: store, Org: bulk2.New(sf), Jobs: []pipeline.Job{job},
				Options: pipeline.Options{NoSuccess: true, ChunkRows: 25_000}})
			if err != nil {
				t.Fatal(err)
			}
			return sum
		}
		run("accounts", "Account", accounts.String(), 0)
		begun := time.Now()
		sum = run("contacts", "Contact", contacts.String(), f.groups)
		took = time.Since(begun)
		for _, v := range org.Audit().Violations {
			if v.Kind != localorg.ViolationFastPoll {
				t.Errorf("the org complains: %s", v.Text)
			}
		}
	})
	return took, sum, dir
}

// TestLanes: children of few parents fail by locks as they stand, and grouped none does, in less time.
func TestLanes(t *testing.T) { testLanes(t, 30_000, 200) }

// TestTortureLanes is the same with many.
func TestTortureLanes(t *testing.T) {
	if os.Getenv("MIGRATE_TORTURE") == "" {
		t.Skip("long: set MIGRATE_TORTURE=1, or use make torture")
	}
	testLanes(t, 200_000, 500)
}

func testLanes(t *testing.T, rows, parents int) {
	plain, sum, dir := family{rows: rows, parents: parents}.load(t)
	t.Logf("as they stand: %v of the org's time, %d of %d rows failed", plain.Round(time.Second), sum.Total.Failed, rows)
	f, err := os.Open(filepath.Join(dir, pipeline.FailedFile))
	if err != nil {
		t.Fatalf("no row failed, so this shows nothing: %v", err)
	}
	defer f.Close()
	failed, err := csv.NewReader(f).ReadAll()
	if err != nil || !strings.HasPrefix(failed[1][7], "UNABLE_TO_LOCK_ROW") {
		t.Errorf("the first row failed with %q (%v)", failed[1], err)
	}
	grouped, sum, _ := family{rows: rows, parents: parents, groups: max(8, rows/10_000)}.load(t)
	t.Logf("grouped: %v, %d rows failed", grouped.Round(time.Second), sum.Total.Failed)
	if sum.Total.Failed != 0 || sum.Total.Succeeded != int64(rows) {
		t.Errorf("grouped: %+v", sum.Total)
	}
	if grouped >= plain {
		t.Errorf("grouped it takes %v, as they stand %v", grouped, plain)
	}
}
