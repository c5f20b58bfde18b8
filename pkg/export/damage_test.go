package export

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"migrate/pkg/pipeline"
	"migrate/pkg/sinks"
)

// nights are runs into a table, or into files, one after another.
type nights struct {
	*testing.T
	lake  bool
	dir   string
	world *copyWorld
	now   int64
	want  Wanted
	told  []string
}

func newNights(t *testing.T) *nights {
	n := &nights{T: t, dir: t.TempDir(), now: 1_800_000_000, want: Wanted{Org: "o", Query: "Account", Target: "t", Field: "SystemModstamp", Overlap: 15 * time.Minute, Deletes: true,
		Compare: time.Hour, Columns: []Column{{"Id", "id"}}}}
	n.world = &copyWorld{table: map[string]record{}, files: map[string]map[string]record{}}
	return n
}

func (n *nights) begin(run string) (*Increment, error) {
	n.now += 60
	n.want.Run = run
	i, _, err := Begin(n.dir, n.want, time.Unix(n.now, 0))
	return i, err
}

// copy is a process of a run that finds some records, and whose query for ids has found some.
func (n *nights) copy(i *Increment, rows map[string]record, ids ...string) (deleted int64, err error) {
	file := filepath.Join(n.dir, "of the org")
	if err := os.WriteFile(file, []byte(strings.Join(append([]string{"Id"}, ids...), "\n")+"\n"), 0o600); err != nil {
		n.Fatal(err)
	}
	path, sink := "", &copySink{w: n.world, run: i.Next.Run, whole: i.Whole()}
	var to sinks.Sink = &copyTable{sink}
	if n.lake {
		path, to = filepath.Join(n.dir, i.Next.Run)+"/", sink
		if err := os.MkdirAll(path, 0o700); err != nil {
			n.Fatal(err)
		}
	}
	c, err := Open(Config{Sink: to, Path: path, Columns: copyColumns, Increment: i, OrgIDs: file, Scratch: filepath.Join(n.dir, "scratch"), Tell: func(text string) { n.told = append(n.told, text) },
		Published: func(_ []sinks.File, gone int64, _ FilesTaken) { deleted = gone }})
	if err != nil {
		return 0, err
	}
	defer c.Close()
	for id, r := range rows {
		if _, err := c.Take(r.row(id)); err != nil {
			return 0, err
		}
	}
	return deleted, c.Publish(context.Background())
}

func (n *nights) must(deleted int64, err error) int64 {
	n.Helper()
	if err != nil {
		n.Fatal(err)
	}
	return deleted
}

func (n *nights) begun(run string) *Increment {
	n.Helper()
	i, err := n.begin(run)
	if err != nil {
		n.Fatal(err)
	}
	return i
}

// TestMovedGoesOn: a run that has moved the mark has nothing to do any more, and can say so also when the next one has begun and put away what it had.
func TestMovedGoesOn(t *testing.T) {
	n := newNights(t)
	n.must(n.copy(n.begun("a"), map[string]record{"1": {stamp: n.now}}))
	b := n.begun("b")
	n.must(n.copy(b, map[string]record{"1": {stamp: n.now - 60}}))
	n.begun("c")
	n.must(n.copy(b, map[string]record{"1": {stamp: n.now - 120}}))
	if m, err := ReadMark(n.dir); err != nil || m.Run != "b" {
		t.Error(m, err)
	}
}

// TestHadIsThere: a record that came again, and that the query for ids before had not seen, has not vanished. It may have fitted the condition
// only then, without a change of its own.
func TestHadIsThere(t *testing.T) {
	n := newNights(t)
	n.want.Compare = time.Minute
	one := map[string]record{"1": {stamp: n.now + 50}}
	n.must(n.copy(n.begun("a"), one))
	b := n.begun("b")
	if !b.Compare {
		t.Fatal("it does not compare")
	}
	if gone := n.must(n.copy(b, one)); gone != 0 {
		t.Errorf("%d records are gone", gone)
	}
}

// TestOtherTargetHasNoDeletes: what was exported to another place is not gone from this one, and nothing is from a table that is replaced.
func TestOtherTargetHasNoDeletes(t *testing.T) {
	for _, tt := range []struct {
		target        string
		lake          bool
		first, second int64
	}{{"t", true, 1, 1}, {"u", true, 1, 0}, {"t", false, 0, 0}} {
		n := newNights(t)
		n.lake = tt.lake
		if gone := n.must(n.copy(n.begun("a"), map[string]record{"1": {stamp: n.now}, "2": {stamp: n.now}, "3": {stamp: n.now, binned: true}})); gone != tt.first {
			t.Errorf("%v: %d records are gone", tt, gone)
		}
		n.want.Target, n.want.Query = tt.target, "Account Name != 'x'"
		if gone := n.must(n.copy(n.begun("b"), map[string]record{"2": {stamp: n.now}})); gone != tt.second {
			t.Errorf("%v: %d records are gone the second time", tt, gone)
		}
	}
}

// TestMissingIsTold: a record that is in the org at two comparisons, and that no run between them has brought, is told of; a new one is not.
func TestMissingIsTold(t *testing.T) {
	n := newNights(t)
	n.want.Compare = time.Minute
	old := map[string]record{"1": {stamp: n.now}}
	n.must(n.copy(n.begun("a"), old, "1"))
	n.must(n.copy(n.begun("b"), nil, "1", "2", "3"))
	n.must(n.copy(n.begun("c"), map[string]record{"2": {stamp: n.now}}, "1", "2", "3", "4"))
	if len(n.told) != 1 || !strings.Contains(n.told[0], "not in the copy: 1;") { // 3
		t.Error(n.told)
	}
	if gone := n.must(n.copy(n.begun("d"), nil, "1", "2", "4")); gone != 0 { // 3 was never in the copy
		t.Errorf("%d are gone", gone)
	}
	if len(n.told) != 2 || !strings.Contains(n.told[1], "not in the copy: 1;") { // 4
		t.Error(n.told)
	}
}

// TestDamage: whatever file beside the mark is damaged or gone, a run says which, and what to do; it is never taken for one that is empty.
func TestDamage(t *testing.T) {
	for name, harm := range map[string]func(path string) error{
		"gone":  os.Remove,
		"empty": func(path string) error { return os.Truncate(path, 0) },
		"cut":   func(path string) error { return os.Truncate(path, 7) },
		"other": func(path string) error {
			return os.WriteFile(path, []byte(strings.Repeat("zyxwvutsrqponm~\x00", 4)), 0o600)
		},
	} {
		for _, file := range []string{markFile, seenPrefix + "a", idsPrefix + "a"} {
			t.Run(file+" "+name, func(t *testing.T) {
				n := newNights(t)
				rows := map[string]record{"1": {stamp: n.now}, "2": {stamp: n.now}, "3": {stamp: n.now}}
				n.must(n.copy(n.begun("a"), rows))
				if err := harm(filepath.Join(n.dir, file)); err != nil {
					t.Fatal(err)
				}
				n.now += 3600
				i, err := n.begin("b")
				if err == nil {
					if file == markFile && name == "gone" {
						if !i.Whole() {
							t.Error("without a mark not all rows are exported")
						}
						return
					}
					_, err = n.copy(i, nil, "1", "2", "3")
				}
				if file == seenPrefix+"a" && (name == "empty" || name == "other") && err == nil { // rows of the overlap come twice; nothing is lost
					return
				}
				if err == nil || !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), "remove the folder") {
					t.Errorf("%v", err)
				}
			})
		}
	}
}

// TestMarkOfLaterVersion: a mark of a later program is not read as one of this.
func TestMarkOfLaterVersion(t *testing.T) {
	n := newNights(t)
	n.must(n.copy(n.begun("a"), nil))
	text, err := json.Marshal(map[string]any{"version": 2})
	if err := errors.Join(err, os.WriteFile(filepath.Join(n.dir, markFile), text, 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := n.begin("b"); err == nil || !strings.Contains(err.Error(), "version 2") {
		t.Error(err)
	}
}

// TestNoTime: a field that is empty in some records cannot be a watermark.
func TestNoTime(t *testing.T) {
	n := newNights(t)
	i := n.begun("a")
	c, err := Open(Config{Sink: &copyTable{&copySink{w: n.world, run: "a", whole: true}}, Columns: copyColumns, Increment: i})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fate, err := c.Take([][]byte{[]byte("1"), nil, nil, []byte("false")})
	if err == nil || !strings.Contains(err.Error(), "SystemModstamp of record 1") || fate == pipeline.Filtered {
		t.Error(fate, err)
	}
}
