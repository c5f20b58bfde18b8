package export

import (
	"context"
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"pgregory.net/rapid"

	"migrate/pkg/pipeline"
	"migrate/pkg/sinks"
)

// A copy is judged by a world of records that are made, changed and deleted between exports and during them, while exports die at each of their steps,
// go on, or are left behind by others. The world and what it expects share nothing with the package.

var copyColumns = []pipeline.ExportColumn{{Name: "Id", Type: "id"}, {Name: "Name", Type: "string"}, {Name: "SystemModstamp", Type: "datetime"}, {Name: "IsDeleted", Type: "boolean"}}

// record is one of the world.
type record struct {
	name   string
	stamp  int64 // second
	binned bool
}

func (r record) row(id string) [][]byte {
	return [][]byte{[]byte(id), []byte(r.name), []byte(time.Unix(r.stamp, 0).UTC().Format("2006-01-02T15:04:05.000Z")), []byte(strconv.FormatBool(r.binned))}
}

// copyRun is a run of the export, as a checkpoint would have it.
type copyRun struct {
	inc      *Increment
	rows     map[string]record // what its query has found; nil = it has not been asked
	ids      string            // file of what the other query has found
	made     int               // how many records there had ever been then
	finished bool
}

type copyWorld struct {
	*rapid.T
	dir     string
	lake    bool // files; else a table
	now     int64
	records map[string]record
	traces  map[string]bool // ids that are gone without a trace since ids were last compared
	made    int
	runs    []*copyRun
	had     map[string]bool // rows of the run that has moved the mark last
	table   map[string]record
	files   map[string]map[string]record // rows of each run that has published
	succ    map[string]int
}

// The places where a run dies.
const (
	diesNowhere = iota
	diesBeforePublish
	diesAfterPublish
	diesAtDeletes
	diesAtManifest
	diesAtSeen
	diesAtMark
	diesAfterMark
	deaths
)

var errDead = errors.New("the run has died")

// TestCopyHistories plays 30 histories for files and 30 for a table, TestTortureCopyHistories 1,000.
func TestCopyHistories(t *testing.T) { testCopyHistories(t, 30) }

func TestTortureCopyHistories(t *testing.T) {
	if os.Getenv("MIGRATE_TORTURE") == "" {
		t.Skip("long: set MIGRATE_TORTURE=1, or use make torture")
	}
	testCopyHistories(t, 1000)
}

func testCopyHistories(t *testing.T, histories int) {
	if checks := flag.Lookup("rapid.checks"); checks.Value.String() == "100" { // nobody wants another number
		t.Cleanup(func() { checks.Value.Set("100") })
		if err := checks.Value.Set(strconv.Itoa(histories)); err != nil {
			t.Fatal(err)
		}
	}
	for _, lake := range []bool{false, true} {
		t.Run(map[bool]string{false: "table", true: "files"}[lake], func(t *testing.T) {
			total := map[string]int{}
			rapid.Check(t, func(t *rapid.T) {
				dir, err := os.MkdirTemp("", "copy")
				if err != nil {
					t.Fatal(err)
				}
				defer os.RemoveAll(dir)
				w := &copyWorld{T: t, dir: dir, lake: lake, now: 1_800_000_000, records: map[string]record{}, traces: map[string]bool{}, table: map[string]record{},
					files: map[string]map[string]record{}, succ: map[string]int{}}
				w.play()
				for k, n := range w.succ {
					total[k] += n
				}
			})
			t.Log(total)
			for _, what := range []string{"whole", "increment", "compared", "filtered", "resumed", "overtaken", "moved before", "died"} {
				if total[what] == 0 {
					t.Errorf("no run was %s", what)
				}
			}
		})
	}
}

func (w *copyWorld) play() {
	for range rapid.IntRange(1, 12).Draw(w.T, "steps") {
		w.live()
		var open []*copyRun
		for _, r := range w.runs {
			if !r.finished {
				open = append(open, r)
			}
			if _, ok := w.files[r.inc.Next.Run]; ok && w.lake && r.inc.Whole() && !r.finished {
				open = []*copyRun{r} // an older one that went on now would leave the folder of this one to those who read the newest
			}
		}
		var r *copyRun
		if len(open) > 0 && rapid.Bool().Draw(w.T, "resume") {
			r = rapid.SampledFrom(open).Draw(w.T, "run")
			w.succ["resumed"]++
		} else {
			w.now += int64(rapid.SampledFrom([]int{1, 60, 3600, 86400}).Draw(w.T, "pause"))
			r = w.begin()
		}
		w.work(r, rapid.IntRange(0, deaths-1).Draw(w.T, "death"))
	}
	w.now += 3 * 86400
	w.work(w.begin(), diesNowhere)
}

// live makes, changes and deletes records.
func (w *copyWorld) live() {
	for range rapid.IntRange(0, 6).Draw(w.T, "changes") {
		w.now += int64(rapid.IntRange(0, 2).Draw(w.T, "seconds"))
		ids := slices.Sorted(maps.Keys(w.records))
		kind := rapid.IntRange(0, 9).Draw(w.T, "kind")
		if len(ids) == 0 || kind < 3 {
			w.made++
			w.records[fmt.Sprintf("001%015d", w.made)] = record{name: fmt.Sprint(rapid.IntRange(0, 3).Draw(w.T, "name")), stamp: w.now}
			continue
		}
		id := rapid.SampledFrom(ids).Draw(w.T, "id")
		r := w.records[id]
		switch {
		case kind < 6 && !r.binned:
			w.records[id] = record{name: fmt.Sprint(rapid.IntRange(0, 3).Draw(w.T, "name")), stamp: w.now}
		case kind < 8:
			w.records[id] = record{name: r.name, stamp: w.now, binned: !r.binned}
		default:
			delete(w.records, id)
			w.traces[id] = true
		}
	}
}

func (w *copyWorld) mark() string { return filepath.Join(w.dir, "mark") }

func (w *copyWorld) begin() *copyRun {
	name := fmt.Sprintf("run-%03d", len(w.runs))
	inc, _, err := Begin(w.mark(), Wanted{Run: name, Org: "o", Query: "Account", Target: "t", Field: "SystemModstamp", Overlap: 15 * time.Minute, Refresh: 5 * 24 * time.Hour,
		Deletes: true, Compare: 24 * time.Hour, Columns: []Column{{"Id", "id"}}}, time.Unix(w.now, 0))
	if err != nil {
		w.Fatal(err)
	}
	r := &copyRun{inc: inc}
	w.runs = append(w.runs, r)
	return r
}

// ask is what the queries of a run find.
func (w *copyWorld) ask(r *copyRun) {
	if r.rows != nil {
		return
	}
	r.made = w.made
	if r.inc.Compare {
		text := "Id\n"
		for id, rec := range w.records {
			if !rec.binned {
				text += id + "\n"
			}
		}
		r.ids = filepath.Join(w.dir, r.inc.Next.Run+".ids")
		if err := os.WriteFile(r.ids, []byte(text), 0o600); err != nil {
			w.Fatal(err)
		}
		w.live()
	}
	r.rows = map[string]record{}
	for id, rec := range w.records {
		if at := time.Unix(rec.stamp, 0); r.inc.Whole() || !at.Before(r.inc.Floor) && at.Before(r.inc.Until) {
			r.rows[id] = rec
		}
	}
}

// work is a process that works on a run, and dies or does not.
func (w *copyWorld) work(r *copyRun, death int) {
	w.ask(r)
	i := r.inc
	path := ""
	if w.lake {
		path = filepath.Join(w.dir, i.Next.Run) + "/"
		if err := os.MkdirAll(path, 0o700); err != nil {
			w.Fatal(err)
		}
	}
	blocked := ""
	switch death {
	case diesAtDeletes:
		if w.lake {
			blocked = path + "deletes.csv"
		}
	case diesAtManifest:
		if w.lake {
			blocked = path + "." + "manifest.json.migrating"
		}
	case diesAtSeen:
		blocked = filepath.Join(w.mark(), seenPrefix+i.Next.Run+".new")
	case diesAtMark:
		blocked = filepath.Join(w.mark(), markFile+".new")
	}
	kept := []byte(nil)
	if blocked != "" { // a folder in the way
		kept, _ = os.ReadFile(blocked)
		os.Remove(blocked)
		if err := os.MkdirAll(filepath.Join(blocked, "x"), 0o700); err != nil {
			w.Fatal(err)
		}
	}
	err := w.export(r, path, death)
	if blocked != "" {
		if err := os.RemoveAll(blocked); err != nil {
			w.Fatal(err)
		}
		if kept != nil {
			if err := os.WriteFile(blocked, kept, 0o600); err != nil {
				w.Fatal(err)
			}
		}
	}
	switch {
	case errors.Is(err, ErrOvertaken):
		w.succ["overtaken"]++
		r.finished = true
		return
	case err != nil && death == diesNowhere:
		w.Fatalf("%s: %v", i.Next.Run, err)
	case err != nil:
		w.succ["died"]++
		return
	}
	r.finished = true
	w.judge(r)
}

func (w *copyWorld) export(r *copyRun, path string, death int) error {
	i := r.inc
	sink := &copySink{w: w, run: i.Next.Run, whole: i.Whole(), death: death}
	var s sinks.Sink = sink
	if !w.lake {
		s = &copyTable{sink}
	}
	before, err := ReadMark(i.Dir)
	if err != nil {
		w.Fatal(err)
	}
	c, err := Open(Config{Sink: s, Path: path, Columns: copyColumns, Increment: i, OrgIDs: r.ids, Scratch: filepath.Join(w.dir, "scratch")})
	if err != nil {
		return err
	}
	defer c.Close()
	if c.moved {
		w.succ["moved before"]++
	}
	had := map[string]bool{}
	for _, id := range slices.Sorted(maps.Keys(r.rows)) {
		rec := r.rows[id]
		key := fmt.Sprint(id, rec)
		had[key] = true
		fate, err := c.Take(rec.row(id))
		if err != nil {
			return err
		}
		switch {
		case fate == pipeline.Filtered:
			w.succ["filtered"]++
		case !i.Whole() && !c.moved && w.had[key] && before != nil && before.Run == i.Was.Run:
			w.Fatalf("%s: %s comes twice", i.Next.Run, key)
		case fate == pipeline.Written:
			b := array.NewRecordBuilder(memory.DefaultAllocator, pipeline.ExportSchema(copyColumns))
			b.Field(0).(*array.StringBuilder).Append(id)
			b.Field(1).(*array.StringBuilder).Append(rec.name)
			b.Field(2).(*array.TimestampBuilder).Append(arrow.Timestamp(rec.stamp * 1000))
			b.Field(3).(*array.BooleanBuilder).Append(rec.binned)
			if err := c.Write(context.Background(), b.NewRecordBatch()); err != nil {
				return err
			}
		}
	}
	err = c.Publish(context.Background())
	if after, e := ReadMark(i.Dir); e == nil && after != nil && after.Run == i.Next.Run && !c.Config.Increment.wasMoved(before) {
		w.had = had
		switch {
		case i.Whole():
			w.succ["whole"]++
			w.traces = w.tracesSince(r)
		case i.Compare:
			w.succ["compared"]++
			w.traces = w.tracesSince(r)
		default:
			w.succ["increment"]++
		}
	}
	if err == nil && death == diesAfterMark {
		return errDead
	}
	return err
}

func (i *Increment) wasMoved(before *Mark) bool { return before != nil && before.Run == i.Next.Run }

// tracesSince are the ids that have gone since the queries of a run were asked: those that it has found, and later ones.
func (w *copyWorld) tracesSince(r *copyRun) map[string]bool {
	found := map[string]bool{}
	for id := range r.rows {
		found[id] = true
	}
	if r.ids != "" {
		text, err := os.ReadFile(r.ids)
		if err != nil {
			w.Fatal(err)
		}
		for line := range slices.Values(splitLines(string(text))) {
			found[line] = true
		}
	}
	since := map[string]bool{}
	for id := range w.traces {
		if found[id] || id > fmt.Sprintf("001%015d", r.made) {
			since[id] = true
		}
	}
	return since
}

func splitLines(text string) (lines []string) {
	for len(text) > 0 {
		n := slices.Index([]byte(text), '\n')
		lines, text = append(lines, text[:n]), text[n+1:]
	}
	return lines
}

// state is the copy, as those who use it read it.
func (w *copyWorld) state() map[string]record {
	if !w.lake {
		return w.table
	}
	state := map[string]record{}
	for _, run := range slices.Sorted(maps.Keys(w.files)) {
		m, err := sinks.ReadManifest(filepath.Join(w.dir, run) + "/")
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			w.Fatal(err)
		}
		if m.Watermark.From.IsZero() {
			clear(state)
		}
		maps.Copy(state, w.files[run])
		f, err := os.Open(filepath.Join(w.dir, run, "deletes.csv"))
		if err != nil {
			w.Fatal(err)
		}
		gone, err := csv.NewReader(f).ReadAll()
		f.Close()
		if err != nil {
			w.Fatal(err)
		}
		if int64(len(gone))-1 != m.Deletes.Rows {
			w.Fatalf("%s has %d deletes, its manifest %d", run, len(gone)-1, m.Deletes.Rows)
		}
		for _, g := range gone[1:] {
			delete(state, g[0])
		}
	}
	return state
}

// judge holds the copy against the world: what has changed before the mark is there as it is.
func (w *copyWorld) judge(r *copyRun) {
	state := w.state()
	until := r.inc.Until.Unix()
	for id, rec := range w.records {
		got, there := state[id]
		switch {
		case rec.stamp >= until:
		case rec.binned && there:
			w.Fatalf("%s: %s is in the recycle bin since %d and in the copy", r.inc.Next.Run, id, rec.stamp)
		case !rec.binned && !there:
			w.Fatalf("%s: %s, changed at %d, is not in the copy", r.inc.Next.Run, id, rec.stamp)
		case !rec.binned && got != rec:
			w.Fatalf("%s: %s is %v in the copy and %v in the org", r.inc.Next.Run, id, got, rec)
		}
	}
	for id, got := range state {
		if _, ok := w.records[id]; !ok && !w.traces[id] {
			w.Fatalf("%s: %s is in the copy, %v, and nowhere else", r.inc.Next.Run, id, got)
		}
	}
}

// copySink keeps what is published in the world.
type copySink struct {
	w     *copyWorld
	run   string
	whole bool
	death int
	rows  map[string]record
	gone  []string
}

func (s *copySink) Write(_ context.Context, rows arrow.RecordBatch) error {
	if s.rows == nil {
		s.rows = map[string]record{}
	}
	for i := range int(rows.NumRows()) {
		s.rows[rows.Column(0).(*array.String).Value(i)] = record{name: rows.Column(1).(*array.String).Value(i),
			stamp: int64(rows.Column(2).(*array.Timestamp).Value(i)) / 1000, binned: rows.Column(3).(*array.Boolean).Value(i)}
	}
	return nil
}

func (s *copySink) publish(do func()) ([]sinks.File, error) {
	if s.death == diesBeforePublish {
		return nil, errDead
	}
	do()
	if s.death == diesAfterPublish {
		return nil, errDead
	}
	return []sinks.File{{Path: s.run, Rows: int64(len(s.rows))}}, nil
}

func (s *copySink) Publish(context.Context) ([]sinks.File, error) {
	return s.publish(func() {
		if was, ok := s.w.files[s.run]; ok && !maps.Equal(was, s.rows) {
			s.w.Fatalf("%s publishes %v where it has published %v", s.run, s.rows, was)
		}
		s.w.files[s.run] = s.rows
	})
}

func (s *copySink) Close() error { return nil }

// copyTable is the same as a table.
type copyTable struct{ *copySink }

func (s *copyTable) Publish(context.Context) ([]sinks.File, error) {
	return s.publish(func() {
		if s.whole {
			clear(s.w.table)
		}
		for id, rec := range s.rows {
			if was, ok := s.w.table[id]; !ok || was.stamp <= rec.stamp {
				s.w.table[id] = rec
			}
		}
		for _, id := range s.gone {
			delete(s.w.table, id)
		}
	})
}

func (s *copyTable) Delete(_ context.Context, keys []string) error {
	if s.whole {
		return errors.New("a table that is replaced takes no deletes")
	}
	s.gone = append(s.gone, keys...)
	return nil
}

func (s *copyTable) Deleted() int64 { return int64(len(s.gone)) }
