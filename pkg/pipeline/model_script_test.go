package pipeline_test

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"pgregory.net/rapid"

	"migrate/pkg/bulk2"
	"migrate/pkg/pipeline"
	"migrate/pkg/sources"
	"migrate/pkg/transform"
)

// modelScript is all that rapid draws: a load, and what happens to it.
type modelScript struct {
	Operation bulk2.Operation
	Options   pipeline.Options
	Grouped   bool
	Equal     bool // rows share values, so that nothing tells them apart
	Splits    [][]modelRow
	Batch     int           // rows in a batch of the source
	Latency   time.Duration // of every answer
	Work      time.Duration // what a job takes in the org
	Late      time.Duration // after which a late call has its effect
	Shuffle   int           // of the results
	Events    []modelEvent

	fates [][]string // by value: the codes with which it fails, one after another, before it is saved
	begun time.Time
}

// modelRow is a row of the source.
type modelRow struct {
	Kind  string // "" = it is sent; else "filtered" or "malformed"
	Value int
	Fate  []string // what its value fails with
}

// modelEvent happens once: at the n-th call of its kind for the job that has the row, or at the n-th step.
type modelEvent struct {
	At, Do string
	Step   pipeline.Step // at a step
	Row    int           // a value, modulo how many there are
	Nth    int           // 0 = it has happened
}

// modelEvents is what can happen. What is milder stands first, since rapid shrinks towards it.
var modelEvents = []string{
	"job: temporary", "job: limit", "job: lag", "job: crash", "job: vanish", "job: vanish behind",
	"create: temporary", "create: limit", "create: lost", "create: crash",
	"upload: temporary", "upload: refused", "upload: refused otherwise", "upload: lost before", "upload: lost", "upload: late", "upload: crash", "upload: vanish", "upload: vanish behind",
	"close: temporary", "close: refused", "close: refused otherwise", "close: lost before", "close: lost", "close: late", "close: crash", "close: vanish", "close: vanish behind",
	"abort: temporary", "abort: refused", "abort: lost before", "abort: lost", "abort: crash", "abort: vanish",
	"results: temporary", "results: cut", "results: short", "results: denied", "results: crash", "results: vanish",
	"process: slow", "process: failed", "process: locks", "process: quota", "process: quota, silent", "process: refused", "process: nothing", "process: nothing, silent", "process: aborted",
	"process: vanish before", "process: vanish halfway", "process: vanish behind",
	"spent: spent", "time: interrupt", "time: crash",
}

// modelSteps are the steps that a run of this test comes to: it has no id map and no claims, which are SQLite files of their own.
var modelSteps = slices.DeleteFunc(slices.Clone(pipeline.Steps), func(s pipeline.Step) bool {
	return s == pipeline.StepWriteClaims || s == pipeline.StepWriteIDs
})

// modelFates are the ends of a row, those that are common more than once.
var modelFates = [][]string{nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, {modelFinal}, {modelFinal}, {modelLock}, {modelLock, modelLock}, {modelLock, modelFinal},
	{modelLock, modelLock, modelLock, modelLock, modelLock}, {modelOnce}, {modelOnce, modelOnce, modelOnce}, {modelLock, modelOnce, modelLock}}

const (
	modelFinal = "STRING_TOO_LONG"
	modelLock  = "UNABLE_TO_LOCK_ROW"
	modelOnce  = "UNKNOWN_EXCEPTION" // passes, but is worth one retry only
)

// retries is how often a row may be sent again that fails with a code.
func (s *modelScript) retries(code string) int {
	switch code {
	case modelLock:
		return s.Options.RowRetries
	case modelOnce:
		return min(1, s.Options.RowRetries)
	}
	return 0
}

// modelDraw draws a script.
var modelDraw = rapid.Custom(func(t *rapid.T) modelScript {
	s := modelScript{
		Operation: rapid.SampledFrom([]bulk2.Operation{bulk2.Insert, bulk2.Upsert, bulk2.Delete}).Draw(t, "operation"),
		Grouped:   rapid.Bool().Draw(t, "grouped"),
		Batch:     rapid.IntRange(1, 4).Draw(t, "batch"),
		Latency:   rapid.SampledFrom([]time.Duration{0, 100 * time.Millisecond}).Draw(t, "latency"),
		Work:      rapid.SampledFrom([]time.Duration{0, 2 * time.Second, 40 * time.Second}).Draw(t, "work"),
		Late:      rapid.SampledFrom([]time.Duration{0, 300 * time.Millisecond, 20 * time.Second}).Draw(t, "late"),
		Shuffle:   rapid.IntRange(0, 3).Draw(t, "shuffle"),
	}
	s.Equal = s.Operation == bulk2.Insert && rapid.Bool().Draw(t, "equal")
	s.Options = pipeline.Options{
		ChunkRows:   rapid.Int64Range(1, 5).Draw(t, "chunk rows"),
		Concurrency: rapid.IntRange(1, 3).Draw(t, "concurrency"),
		Uploads:     rapid.IntRange(1, 2).Draw(t, "uploads"),
		Readers:     rapid.IntRange(1, 2).Draw(t, "readers"),
		RowRetries:  rapid.IntRange(0, 3).Draw(t, "retries"),
		NoSuccess:   rapid.Bool().Draw(t, "no success"),
	}
	row := rapid.Custom(func(t *rapid.T) modelRow {
		r := modelRow{Kind: evenly([]string{"", "", "", "", "", "", "filtered", "malformed"}).Draw(t, "kind"), Fate: evenly(modelFates).Draw(t, "fate")}
		if s.Equal {
			r.Value = rapid.IntRange(0, 2).Draw(t, "value")
		}
		return r
	})
	s.Splits = rapid.SliceOfN(rapid.SliceOfN(row, 0, 4), 1, 3).Draw(t, "splits")
	s.Events = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) modelEvent {
		if evenly([]bool{false, false, false, true}).Draw(t, "step") {
			return modelEvent{At: "step", Do: evenly([]string{"crash", "crash", "crash", "interrupt"}).Draw(t, "do"),
				Step: evenly(modelSteps).Draw(t, "which"), Nth: rapid.IntRange(1, 5).Draw(t, "nth")}
		}
		at, do, _ := strings.Cut(evenly(modelEvents).Draw(t, "event"), ": ")
		return modelEvent{At: at, Do: do, Row: rapid.IntRange(0, 4).Draw(t, "row"), Nth: evenly([]int{1, 1, 1, 1, 1, 2, 2, 3}).Draw(t, "nth")}
	}), 0, 5).Draw(t, "events")
	for _, e := range s.Events { // it hardly ever comes to these without a lost answer before
		switch {
		case e.At == "abort" || slices.Contains([]pipeline.Step{pipeline.StepCallState, pipeline.StepCallAbort, pipeline.StepWriteReplaced}, e.Step):
			s.Events = append(s.Events, modelEvent{At: "upload", Do: "lost", Row: e.Row, Nth: 1})
		case e.At == "job" && e.Do == "vanish" && e.Nth == 1:
			s.Events = append(s.Events, modelEvent{At: "close", Do: "lost", Row: e.Row, Nth: 1})
		}
	}
	return s
})

// evenly draws any of a list as often as the others, while rapid.SampledFrom prefers the first ones so much that the last hardly ever come.
func evenly[T any](list []T) *rapid.Generator[T] {
	return rapid.Custom(func(t *rapid.T) T {
		n := 0
		for most := 1; most < 4*len(list); most *= 2 {
			n *= 2
			if rapid.Bool().Draw(t, "bit") {
				n++
			}
		}
		return list[n%len(list)]
	})
}

// prepare gives values to the rows and fates to the values.
func (s *modelScript) prepare() {
	n := 0
	s.fates = nil
	for _, split := range s.Splits {
		for i := range split {
			r := &split[i]
			if !s.Equal {
				r.Value = n
			}
			n++
			for len(s.fates) <= r.Value {
				s.fates = append(s.fates, nil)
			}
			if r.Kind == "" {
				s.fates[r.Value] = append(s.fates[r.Value], r.Fate...)
			}
		}
	}
	if len(s.fates) == 0 {
		s.fates = [][]string{nil}
	}
	s.Events = slices.Clone(s.Events)
}

// column is the one column that is sent.
func (s *modelScript) column() string {
	return map[bulk2.Operation]string{bulk2.Insert: "Name", bulk2.Upsert: "Legacy_Id__c", bulk2.Delete: "Id"}[s.Operation]
}

// text is a value as it is sent, number the value that a text is.
func (s *modelScript) text(value int) string { return "v" + strconv.Itoa(value) }

func (s *modelScript) number(text string) int {
	n, err := strconv.Atoi(strings.TrimPrefix(text, "v"))
	if err != nil || n >= len(s.fates) {
		panic(fmt.Sprintf("the org was sent %q", text))
	}
	return n
}

// job is the load as the pipeline takes it.
func (s *modelScript) job() pipeline.Job {
	j := pipeline.Job{Name: "model", Object: "Account", Operation: s.Operation, Source: modelSource{s}, Mapping: modelMapping()(s.column()), Key: "no", Grouped: s.Grouped,
		Columns: []pipeline.Column{{Header: s.column(), Type: "string", Key: !s.Equal}}}
	if s.Operation == bulk2.Upsert {
		j.ExternalID = s.column()
	}
	return j
}

var modelSchema = arrow.NewSchema([]arrow.Field{{Name: "no", Type: arrow.BinaryTypes.String}, {Name: "keep", Type: arrow.BinaryTypes.String}, {Name: "value", Type: arrow.BinaryTypes.String}}, nil)

// modelMapping compiles the mappings once: it takes longer than a run.
var modelMapping = sync.OnceValue(func() func(column string) *transform.Plan {
	plans := map[string]*transform.Plan{}
	for _, column := range []string{"Name", "Legacy_Id__c", "Id"} {
		p, err := transform.Compile(transform.Mapping{Where: `keep == "yes"`, Fields: []transform.Field{{To: column, From: "value"}}}, modelSchema)
		if err != nil {
			panic(err)
		}
		plans[column] = p
	}
	return func(column string) *transform.Plan { return plans[column] }
})

// modelSource is a source in memory. The rows are numbered through all splits, and so are the lines.
type modelSource struct{ s *modelScript }

func (m modelSource) Schema() *arrow.Schema { return modelSchema }

func (m modelSource) Splits() []sources.Split { return modelSplits(len(m.s.Splits)) }

// modelSplits are the same for all scripts with so many of them.
func modelSplits(n int) []sources.Split {
	var list []sources.Split
	for i := range n {
		list = append(list, sources.Split{ID: strconv.Itoa(i), Path: "split" + strconv.Itoa(i), End: int64(10 - i), Start: sources.Position{Line: 1}})
	}
	return list
}

func (m modelSource) Open(_ context.Context, split sources.Split, from sources.Position) (sources.Reader, error) {
	k, err := strconv.Atoi(split.ID)
	if err != nil {
		return nil, err
	}
	before := 0
	for _, rows := range m.s.Splits[:k] {
		before += len(rows)
	}
	return &modelReader{rows: m.s.Splits[k], before: before, at: int(from.Row), batch: m.s.Batch}, nil
}

type modelReader struct {
	rows              []modelRow
	before, at, batch int
}

func (r *modelReader) pos() sources.Position {
	return sources.Position{Row: int64(r.at), Offset: int64(r.at), Line: int64(r.at + 1)}
}

func (r *modelReader) Next(context.Context) (sources.Batch, error) {
	if r.at == len(r.rows) {
		return sources.Batch{}, io.EOF
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, modelSchema)
	defer b.Release()
	var batch sources.Batch
	for range min(r.batch, len(r.rows)-r.at) {
		row, no := r.rows[r.at], strconv.Itoa(r.before+r.at)
		if row.Kind == "malformed" {
			batch.Bad = append(batch.Bad, sources.BadRow{Pos: r.pos(), Rule: sources.RuleTooFewColumns, Message: "too few", Fields: []string{no}})
		} else {
			keep := map[string]string{"": "yes", "filtered": "no"}[row.Kind]
			for i, v := range []string{no, keep, "v" + strconv.Itoa(row.Value)} {
				b.Field(i).(*array.StringBuilder).Append(v)
			}
			batch.Pos = append(batch.Pos, r.pos())
		}
		r.at++
	}
	batch.Rows, batch.Next = b.NewRecordBatch(), r.pos()
	return batch, nil
}

func (r *modelReader) Close() error { return nil }
