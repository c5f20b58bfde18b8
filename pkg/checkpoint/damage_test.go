package checkpoint_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"migrate/pkg/checkpoint"
)

// The files of a checkpoint that a process has left behind when it died.
const (
	mainFile = checkpoint.FileName
	walFile  = checkpoint.FileName + "-wal"
)

// remains is what a process leaves that dies in the middle of a run: what its files hold, and what they say.
type remains struct {
	files  map[string][]byte
	says   string   // what a restart reads
	before []string // what it would have read after each transaction before the last, as far as they are still in the log
}

// leave makes a checkpoint with chunks in all states. With clean it is closed as it should be; else the process dies, and a part of what is
// recorded lies in SQLite's log.
func leave(t testing.TB, clean bool) remains {
	t.Helper()
	dir := t.TempDir()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	s, err := checkpoint.Create(ctx, dir, checkpoint.Run{ID: "r1", Created: at, Command: "migrate load a.csv", Plan: strings.Repeat(`{"a":"long plan"}`, 700), Org: "{}"},
		[]checkpoint.Job{{Name: "accounts", Object: "Account", Operation: "insert", Spec: "{}"}, {Name: "contacts", Object: "Contact", Operation: "insert", Spec: "{}"}},
		[]checkpoint.Split{{Job: "accounts", ID: "a.csv", Spec: "{}", Next: `{"row":0}`}, {Job: "contacts", ID: "b.csv", Spec: "{}", Next: `{"row":0}`}})
	check(err)
	var l remains
	states := []checkpoint.BulkState{checkpoint.BulkCut, checkpoint.BulkCreated, checkpoint.BulkUploaded, checkpoint.BulkClosing, checkpoint.BulkClosed}
	const chunks, late = 60, 50
	for i := range int64(chunks) {
		if i == late { // what is recorded until here is moved out of the log
			check(s.Close())
			s, err = checkpoint.Open(ctx, dir)
			check(err)
			l.before = append(l.before, said(t, s))
		}
		moment := func(err error) {
			t.Helper()
			check(err)
			if i >= late {
				l.before = append(l.before, said(t, s))
			}
		}
		c, b, err := s.Cut(ctx, checkpoint.Chunk{Job: "accounts", Split: "a.csv", Start: fmt.Sprintf(`{"row":%d}`, 100*i), FirstRow: 100 * i,
			SourceRows: 100, Rows: 98, Rejected: 2, Bytes: 5000 + i, Hash: fmt.Sprintf("%032x", i)},
			checkpoint.Split{Next: fmt.Sprintf(`{"row":%d}`, 100*(i+1)), Rows: 100 * (i + 1)}, checkpoint.Offsets{"rejected.csv": 200 * (i + 1)})
		moment(err)
		b.SalesforceID = fmt.Sprintf("7505g00000FX1%05d", i)
		for _, state := range states[1 : 1+i%5] {
			moment(s.Advance(ctx, b, state))
		}
		if i%10 == 4 || i%10 == 9 {
			_, err = s.Settle(ctx, checkpoint.Settlement{BulkJob: b, Processed: 98, Failed: 20, Outcome: checkpoint.Outcome{Succeeded: c.Rows - 20, Failed: 10},
				Further: []checkpoint.Further{{Selection: checkpoint.Selection{1, 2, 5, 9, 17, 30, 31, 32, 60, 90}, Failed: true}}, Reports: checkpoint.Offsets{"failed.csv": 100 * i}})
			moment(err)
		}
	}
	if clean {
		check(s.Close())
	}
	l.files = map[string][]byte{}
	for _, name := range []string{mainFile, walFile} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err == nil {
			l.files[name] = data
		} else if name == mainFile || !clean {
			t.Fatal(err)
		}
	}
	if !clean {
		check(s.Close())
	}
	s, err = l.open(t.TempDir())
	check(err)
	l.says = said(t, s)
	check(s.Close())
	l.before = slices.Compact(slices.DeleteFunc(l.before, func(m string) bool { return m == l.says }))
	return l
}

// open puts the files into a folder and opens the checkpoint.
func (l remains) open(dir string) (*checkpoint.Store, error) {
	for name, data := range l.files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return nil, err
		}
	}
	return checkpoint.Open(ctx, dir)
}

// said is all that a restart reads; what cannot be read is an error in its place.
func said(t testing.TB, s *checkpoint.Store) string {
	var b strings.Builder
	say := func(v any, err error) {
		if err != nil {
			v = "error"
		}
		fmt.Fprintf(&b, "%+v\n", v)
	}
	r, err := s.Run(ctx)
	say(r, err)
	jobs, err := s.Jobs(ctx)
	say(jobs, err)
	for _, job := range []string{"accounts", "contacts"} {
		splits, err := s.Splits(ctx, job)
		say(splits, err)
		u, err := s.Unsettled(ctx, job)
		say(u, err)
		ledger, err := s.Ledger(ctx, job)
		say(ledger, err)
	}
	ids, err := s.SalesforceIDs(ctx)
	say(ids, err)
	offsets, err := s.Offsets(ctx)
	say(offsets, err)
	return b.String()
}

// damage is one harm to one file.
type damage struct {
	wal  bool
	how  byte
	at   uint64 // byte
	n, v byte
}

// damages reads harms from bytes, eight for each.
func damages(text []byte) (list []damage) {
	for ; len(text) >= 8 && len(list) < 8; text = text[8:] {
		list = append(list, damage{wal: text[0]&0x80 != 0, how: text[0] & 0x7f % 5, at: uint64(binary.LittleEndian.Uint32(text[1:])), n: text[6], v: text[7]})
	}
	return list
}

// cutShort is the harm that cannot be told from a death while the log was written.
const cutShort = 1

// to does the harm to a copy.
func (d damage) to(l remains) remains {
	name := mainFile
	if d.wal && l.files[walFile] != nil {
		name = walFile
	}
	data := slices.Clone(l.files[name])
	if len(data) == 0 {
		return l
	}
	at := int(d.at % uint64(len(data)))
	end := min(at+1+int(d.n), len(data))
	switch d.how {
	case 0:
		data[at] ^= max(d.v, 1)
	case cutShort:
		data = data[:at]
	case 2:
		data = slices.Insert(data, at, slices.Repeat([]byte{d.v}, 1+int(d.n))...)
	case 3:
		data = slices.Delete(data, at, end)
	case 4:
		for i := at; i < end; i++ {
			data[i] = d.v
		}
	}
	files := map[string][]byte{mainFile: l.files[mainFile], walFile: l.files[walFile], name: data}
	if l.files[walFile] == nil {
		delete(files, walFile)
	}
	return remains{files: files, says: l.says, before: l.before}
}

// verdict is what became of a damaged checkpoint.
type verdict string

const (
	refused  verdict = "refused"
	harmless verdict = "read as it was"
	newest   verdict = "read without its last step or two"
	older    verdict = "read as it was before"
	believed verdict = "believed"
)

// judge opens a damaged checkpoint, reads all of it and goes on with it.
func (l remains) judge(t testing.TB, dir string) verdict {
	s, err := l.open(dir)
	if err != nil {
		var d *checkpoint.DamagedError
		if !errors.As(err, &d) && !strings.Contains(err.Error(), "has format ") {
			t.Errorf("%v, want a DamagedError", err)
		}
		for name, was := range l.files { // the error says that nothing was changed
			if is, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !bytes.Equal(is, was) {
				t.Errorf("%s has changed, %v", name, err)
			}
		}
		return refused
	}
	defer s.Close()
	now := said(t, s)
	list, err := s.Unsettled(ctx, "accounts")
	for _, u := range list[:min(len(list), 2)] { // each takes a while
		u.BulkJob.SalesforceID = "750B"
		if s.Advance(ctx, u.BulkJob, checkpoint.BulkClosed) == nil { // errors are as good as any
			s.Settle(ctx, checkpoint.Settlement{BulkJob: u.BulkJob, Outcome: checkpoint.Outcome{Succeeded: u.BulkJob.Rows}})
		}
	}
	s.Ledger(ctx, "accounts")
	switch {
	case err != nil:
		return refused
	case now == l.says:
		return harmless
	case slices.Contains(l.before[max(0, len(l.before)-2):], now):
		return newest
	case slices.Contains(l.before, now):
		return older
	}
	for i, line := range strings.Split(l.says, "\n") {
		if got := strings.Split(now, "\n"); i >= len(got) || got[i] != line {
			t.Logf("it says\n%.2000s\nwas\n%.2000s", got[min(i, len(got)-1)], line)
			break
		}
	}
	return believed
}

// TestTortureDamage: a checkpoint whose file is damaged anywhere is refused, or says what it has always said. Damage to the end of the log of a process
// that died looks like that death: its last step, or two, were never recorded, as far as anybody can tell.
func TestTortureDamage(t *testing.T) {
	tries := 100
	if os.Getenv("MIGRATE_TORTURE") != "" {
		tries = 5_000
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for name, l := range map[string]remains{"closed": leave(t, true), "died": leave(t, false)} {
		for _, wal := range []bool{false, true} {
			if wal && name == "closed" {
				continue
			}
			count := map[verdict]int{}
			for range tries {
				d := damage{wal: wal, how: byte(rng.IntN(5)), at: rng.Uint64N(1 << 32), n: byte(rng.IntN(20)), v: byte(rng.IntN(256))}
				v := d.to(l).judge(t, t.TempDir())
				count[v]++
				if v == believed || v == older && d.how != cutShort || v == newest && !wal {
					t.Errorf("%s: damage %+v was %s", name, d, v)
				}
			}
			t.Logf("%s, damage to the log: %v: %v", name, wal, count)
		}
	}
}

// FuzzDamaged damages the files in any way.
func FuzzDamaged(f *testing.F) {
	for _, seed := range []string{"\x01\x00\x00\x00\x00\x00\x00\x00", "\x00\x00\x00\x00\x00\x00\x00\x01", "\x01\x00\x10\x00\x00\x00\x00\x00", "\x80\x20\x00\x00\x00\x00\x00\x01", "\x04\x64\x20\x00\x00\x00\x10\xff"} {
		f.Add([]byte(seed), true)
		f.Add([]byte(seed), false)
	}
	closed, died := leave(f, true), leave(f, false)
	f.Fuzz(func(t *testing.T, text []byte, clean bool) {
		l := died
		if clean {
			l = closed
		}
		wal := false // what several harms do to the log together can look like anything
		for _, d := range damages(text) {
			l = d.to(l)
			wal = wal || d.wal && l.files[walFile] != nil
		}
		if v := l.judge(t, t.TempDir()); v == believed || (v == older || v == newest) && !wal {
			t.Errorf("damage %+v was %s", damages(text), v)
		}
	})
}
