package sinks_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/google/go-cmp/cmp"

	"migrate/pkg/sinks"
)

// childVariable makes the test binary export instead of testing: it holds a tableChild as JSON.
const childVariable = "MIGRATE_TEST_TABLE"

// tableChild is a process that exports to a table, and may be killed at it.
type tableChild struct {
	DSN, Table string
	Mode       sinks.Mode
	Version    int64
}

// versioned rows have the number of the export in each of them. Besides, each export has rows that no other has.
var versioned = arrow.NewSchema([]arrow.Field{field("Id", text, 18), field("Version", arrow.PrimitiveTypes.Int64, 0), field("Name", text, 80)}, nil)

const (
	common = 20_000
	own    = 1_000
)

func ownKey(version int64, i int) string { return fmt.Sprintf("own%05d-%06d", version, i) }

// run exports one version; merges delete what the one before had for itself.
func (c tableChild) run(ctx context.Context, say func(string)) error {
	sink, err := sinks.OpenTable(ctx, sinks.TableConfig{DSN: c.DSN, Table: c.Table, Schema: versioned, Mode: c.Mode})
	if err != nil {
		return err
	}
	defer sink.Close()
	const at = 2000
	for first := 0; first < common+own; first += at {
		var rows [][]any
		for i := first; i < min(first+at, common+own); i++ {
			id := fmt.Sprintf("001%06d", i)
			if i >= common {
				id = ownKey(c.Version, i-common)
			}
			rows = append(rows, []any{id, c.Version, strings.Repeat("n", i%80)})
		}
		b := batch(versioned, rows...)
		if err := sink.Write(ctx, b); err != nil {
			return err
		}
		say("written")
	}
	if c.Mode == sinks.Merge {
		var keys []string
		for version := int64(0); version < c.Version; version++ {
			for i := range own {
				keys = append(keys, ownKey(version, i))
			}
		}
		if err := sink.Delete(ctx, keys); err != nil {
			return err
		}
	}
	say("publishing")
	if _, err := sink.Publish(ctx); err != nil {
		return err
	}
	say("published")
	return nil
}

func runChild(spec string) int {
	var c tableChild
	if err := json.Unmarshal([]byte(spec), &c); err != nil {
		panic(err)
	}
	if err := c.run(context.Background(), func(text string) { fmt.Println(text) }); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// start runs the child as a process and kills it after a while, or waits for it when that is 0. It gives what it said last.
func (c tableChild) start(t *testing.T, kill time.Duration) (last string) {
	t.Helper()
	spec, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+string(spec))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if kill > 0 {
		defer time.AfterFunc(kill, func() { cmd.Process.Kill() }).Stop()
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		last = lines.Text()
	}
	cmd.Wait()
	return last
}

// state is the one version whose rows are all there, -1 if no table is; anything else fails the test.
func (s server) state(t testing.TB, table string) int64 {
	t.Helper()
	q := s.quote
	var lowest, highest, rows, mine int64
	err := s.retryBusy(func() error {
		return s.db.QueryRow("SELECT coalesce(min("+q("Version")+"), -2), coalesce(max("+q("Version")+"), -2), count(*), count(CASE WHEN "+q("Id")+" LIKE 'own%' THEN 1 END) FROM "+q(table)).
			Scan(&lowest, &highest, &rows, &mine)
	})
	if err != nil {
		if strings.Contains(err.Error(), "exist") || strings.Contains(err.Error(), "no such table") {
			return -1
		}
		t.Fatal(err)
	}
	if lowest != highest || rows != common+own || mine != own {
		t.Fatalf("versions %d to %d in %d rows, %d of their own: neither old nor new", lowest, highest, rows, mine)
	}
	return highest
}

// retryBusy repeats what SQLite refuses while another process commits.
func (s server) retryBusy(f func() error) (err error) {
	for range 100 {
		if err = f(); err == nil || s.kind != "sqlite" || !strings.Contains(err.Error(), "locked") {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
	return err
}

// TestTableKilled: a process that is killed anywhere leaves the old rows or the new ones, and nothing that the next export does not remove.
func TestTableKilled(t *testing.T) {
	each(t, func(t *testing.T, s server) {
		for _, mode := range []sinks.Mode{sinks.Replace, sinks.Merge} {
			c := tableChild{DSN: s.dsn, Table: s.table(t), Mode: mode, Version: 1}
			began := time.Now()
			if last := c.start(t, 0); last != "published" {
				t.Fatal(last)
			}
			took := time.Since(began)
			then, old, renewed := map[string]int{}, int64(1), 0
			for range 10 {
				c.Version++
				last := c.start(t, time.Duration(rand.Int64N(int64(took)*5/4)))
				then[last]++
				now := s.state(t, c.Table)
				// a server may notice late that its client is dead, and finish its statement
				if now < old || now > c.Version || last == "published" && now != c.Version {
					t.Fatalf("version %d after %d, killed when %s", now, c.Version, last)
				}
				if now != old {
					renewed++
				}
				old = now
			}
			t.Logf("mode %d: killed after %v; %d of 10 came through", mode, then, renewed)
			c.Version++
			if last := c.start(t, 0); last != "published" {
				t.Fatal(last)
			}
			if now := s.state(t, c.Table); now != c.Version {
				t.Fatalf("version %d after %d", now, c.Version)
			}
			s.nothingLeft(t, c.Table)
		}
	})
}

// nothingLeft fails when there is a table beside the one that was written.
func (s server) nothingLeft(t *testing.T, table string) {
	t.Helper()
	q := "SELECT table_name FROM information_schema.tables WHERE table_name LIKE 'migrate!_%" + table + "' ESCAPE '!'"
	if s.kind == "sqlite" {
		q = "SELECT name FROM sqlite_schema WHERE name LIKE 'migrate%'"
	}
	if left := s.texts(t, q); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestTableReaders: who reads while an export is published sees the old rows or the new ones.
func TestTableReaders(t *testing.T) {
	each(t, func(t *testing.T, s server) {
		for _, mode := range []sinks.Mode{sinks.Replace, sinks.Merge} {
			c := tableChild{DSN: s.dsn, Table: s.table(t), Mode: mode}
			if err := c.run(t.Context(), func(string) {}); err != nil {
				t.Fatal(err)
			}
			var done atomic.Bool
			var seen sync.Map
			var readers sync.WaitGroup
			for range 2 {
				readers.Go(func() {
					for !done.Load() && !t.Failed() {
						if v := s.state(t, c.Table); v < 0 {
							t.Errorf("the table was gone")
						} else {
							seen.Store(v, true)
						}
					}
				})
			}
			for c.Version = 1; c.Version <= 4 && !t.Failed(); c.Version++ {
				if err := c.run(t.Context(), func(string) {}); err != nil {
					t.Error(err)
				}
			}
			done.Store(true)
			readers.Wait()
			var versions []int64
			seen.Range(func(v, _ any) bool { versions = append(versions, v.(int64)); return true })
			slices.Sort(versions)
			if len(versions) < 2 {
				t.Errorf("mode %d: readers saw only %v", mode, versions)
			}
			s.nothingLeft(t, c.Table)
		}
	})
}

// TestTableTwo: of two exports at the same time the table has the rows of one, and neither takes anything from the other.
func TestTableTwo(t *testing.T) {
	each(t, func(t *testing.T, s server) {
		cfg := sinks.TableConfig{DSN: s.dsn, Table: s.table(t), Schema: small}
		one, err := sinks.OpenTable(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer one.Close()
		if err := one.Write(t.Context(), batch(small, []any{"1", "one", nil}, []any{"2", "one", nil})); err != nil {
			t.Fatal(err)
		}
		want := [][]string{{"2", "two"}, {"3", "two"}}
		two := exportTable(t.Context(), cfg, nil, batch(small, []any{"2", "two", nil}, []any{"3", "two", nil}))
		if s.kind == "mysql" { // its tables beside allow one at a time
			if !errors.Is(two, sinks.ErrDatabase) || !strings.Contains(two.Error(), "another export") {
				t.Fatal(two)
			}
		} else {
			if diff := cmp.Diff(want, s.texts(t, "SELECT "+s.quote("Id")+", "+s.quote("Name")+" FROM "+s.quote(cfg.Table)+" ORDER BY 1")); two != nil || diff != "" {
				t.Fatal(two, diff)
			}
		}
		if _, err := one.Publish(t.Context()); err != nil {
			t.Fatal(err)
		}
		want = [][]string{{"1", "one"}, {"2", "one"}}
		if diff := cmp.Diff(want, s.texts(t, "SELECT "+s.quote("Id")+", "+s.quote("Name")+" FROM "+s.quote(cfg.Table)+" ORDER BY 1")); diff != "" {
			t.Error(diff)
		}
	})
}

// cutter is a way to a server that breaks after so many bytes from the client.
func cutter(t *testing.T, to string, after int64) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", to)
			if err != nil {
				client.Close()
				return
			}
			go func() {
				io.Copy(client, server)
				client.Close()
			}()
			go func() {
				io.CopyN(server, client, after)
				client.Close()
				server.Close()
			}()
		}
	}()
	return l.Addr().String()
}

// TestTableCut: a connection that breaks is a temporary error, and leaves the old rows or the new ones.
func TestTableCut(t *testing.T) {
	each(t, func(t *testing.T, s server) {
		if s.kind == "sqlite" { // it has no connection
			return
		}
		u, err := url.Parse(s.dsn)
		if err != nil {
			t.Fatal(err)
		}
		host := u.Host
		for _, mode := range []sinks.Mode{sinks.Replace, sinks.Merge} {
			c := tableChild{DSN: s.dsn, Table: s.table(t), Mode: mode, Version: 1}
			if err := c.run(t.Context(), func(string) {}); err != nil {
				t.Fatal(err)
			}
			old, failed := int64(1), 0
			for _, after := range []int64{300, 2000, 100_000, 500_000, 900_000, 1_020_000, 1_070_000} {
				c.Version++
				u.Host = cutter(t, host, after+rand.Int64N(after/2))
				c.DSN = u.String()
				err := c.run(t.Context(), func(string) {})
				if err != nil {
					failed++
					if !errors.Is(err, sinks.ErrDatabase) || strings.Contains(err.Error(), "secret") {
						t.Errorf("cut after %d: %v", after, err)
					}
				}
				now := s.state(t, c.Table)
				if now < old || now > c.Version || err == nil && now != c.Version {
					t.Fatalf("version %d after %d, %v", now, c.Version, err)
				}
				old = now
			}
			if failed < 4 {
				t.Errorf("only %d exports were cut", failed)
			}
			c.Version, c.DSN = c.Version+1, s.dsn
			if err := c.run(t.Context(), func(string) {}); err != nil {
				t.Fatal(err)
			}
			s.nothingLeft(t, c.Table)
		}
	})
}
