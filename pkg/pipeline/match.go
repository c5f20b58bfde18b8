package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/zeebo/xxh3"

	"migrate/pkg/bulk2"
	"migrate/pkg/salesforce"
)

// resultSet is one result set of a job, stored in a spool and indexed by the hash of its rows. The index is a multiset: rows
// that are equal are interchangeable, so each of them may claim any of their results.
type resultSet struct {
	kind    bulk2.Kind
	file    *spool
	reader  *bulk2.ResultReader
	entries []entry // ascending by hash
	claimed int
}

// entry is one result row.
type entry struct {
	hash   xxh3.Uint128
	offset int64
	length uint32
	taken  uint32 // on the first of a run of equal hashes: how many of the run are claimed
}

// fetch downloads one result set of about so many rows and indexes it. A body that breaks off is fetched again, a few times now and, as
// its error is a temporary one, by a run that goes on later.
func (j *jobRun) fetch(ctx context.Context, id string, kind bulk2.Kind, by *rowForm, rows int64) (*resultSet, error) {
	var err error
	for try := range fetchTries {
		if try > 0 {
			if err := sleep(ctx, time.Duration(try)*j.waiter.every); err != nil {
				return nil, err
			}
		}
		var s *resultSet
		s, err = j.fetchOnce(ctx, id, kind, by, rows)
		if err == nil {
			return s, nil
		}
		var refused *salesforce.APIError
		if ctx.Err() != nil || errors.As(err, &refused) {
			return nil, err // the answer did not break off, it was another
		}
	}
	return nil, fmt.Errorf("%s of job %s did not come whole, %d times: %w: %w", kind, id, fetchTries, salesforce.ErrTemporary, err)
}

const fetchTries = 4

func (j *jobRun) fetchOnce(ctx context.Context, id string, kind bulk2.Kind, by *rowForm, rows int64) (*resultSet, error) {
	j.Events.step(StepCallResults)
	body, err := j.Org.Results(ctx, id, kind)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	file, err := newSpool(j.Dir, "result-*.csv")
	if err != nil {
		return nil, err
	}
	s := &resultSet{kind: kind, file: file, entries: make([]entry, 0, min(max(rows, 0), maxChunkRows))}
	columns := make([]string, len(j.Columns))
	for i, c := range j.Columns {
		columns[i] = c.Header
	}
	err = func() error {
		if s.reader, err = bulk2.NewResultReader(io.TeeReader(body, file), kind, columns); err != nil {
			return err
		}
		for {
			row, err := s.reader.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				return err
			}
			s.entries = append(s.entries, entry{hash: by.hash(fieldsOf(row)), offset: row.Offset, length: uint32(row.Length)})
		}
		_, err := file.finish()
		return err
	}()
	if err != nil {
		file.remove()
		return nil, err
	}
	s.sort()
	return s, nil
}

func (s *resultSet) sort() {
	slices.SortFunc(s.entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.hash.Hi, b.hash.Hi), cmp.Compare(a.hash.Lo, b.hash.Lo), cmp.Compare(a.offset, b.offset))
	})
}

// claim takes one result of a row with this hash out of the set.
func (s *resultSet) claim(h xxh3.Uint128) (entry, bool) {
	if s == nil || s.claimed == len(s.entries) {
		return entry{}, false
	}
	i, ok := slices.BinarySearchFunc(s.entries, h, func(e entry, h xxh3.Uint128) int {
		return cmp.Or(cmp.Compare(e.hash.Hi, h.Hi), cmp.Compare(e.hash.Lo, h.Lo))
	})
	if !ok {
		return entry{}, false
	}
	k := i + int(s.entries[i].taken)
	if k == len(s.entries) || s.entries[k].hash != h {
		return entry{}, false
	}
	s.entries[i].taken++
	s.claimed++
	return s.entries[k], true
}

// read reads a claimed result.
func (s *resultSet) read(e entry) (bulk2.Result, error) {
	return s.reader.At(s.file.f, e.offset, int(e.length))
}

// len is the number of results in the set.
func (s *resultSet) len() int64 {
	if s == nil {
		return 0
	}
	return int64(len(s.entries))
}

// left is the number of results that no row has claimed.
func (s *resultSet) left() int {
	if s == nil {
		return 0
	}
	return len(s.entries) - s.claimed
}

// rehash keeps the results that are not claimed, indexed in another way.
func (s *resultSet) rehash(by *rowForm) error {
	var left []entry
	for i := 0; i < len(s.entries); {
		end := i + 1
		for end < len(s.entries) && s.entries[end].hash == s.entries[i].hash {
			end++
		}
		for _, e := range s.entries[i+int(s.entries[i].taken) : end] {
			row, err := s.read(e)
			if err != nil {
				return err
			}
			left = append(left, entry{hash: by.hash(fieldsOf(row)), offset: e.offset, length: e.length})
		}
		i = end
	}
	s.entries, s.claimed = left, 0
	s.sort()
	return nil
}

// close frees the set's file and memory; twice does no harm.
func (s *resultSet) close() {
	if s != nil {
		s.file.remove()
		s.entries = nil
	}
}

func fieldsOf(r bulk2.Result) func(int) []byte { return func(c int) []byte { return r.Fields[c] } }

// valuesOf gives a row's values without copying them.
func valuesOf(cols []*array.String, row int) func(int) []byte {
	return func(c int) []byte {
		v := cols[c].Value(row)
		return unsafe.Slice(unsafe.StringData(v), len(v))
	}
}
