package localorg

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
)

// resultKind is one of the three result sets of a job.
type resultKind byte

const (
	resultSuccessful resultKind = iota
	resultFailed
	resultUnprocessed
)

func (o *Org) successfulResults(c *call) error  { return o.results(c, resultSuccessful) }
func (o *Org) failedResults(c *call) error      { return o.results(c, resultFailed) }
func (o *Org) unprocessedRecords(c *call) error { return o.results(c, resultUnprocessed) }

// results streams a result set. It is made from the upload and the outcome of each row, so nothing is stored twice.
func (o *Org) results(c *call, kind resultKind) error {
	o.mu.Lock()
	j, err := o.job(c.args[0])
	if err != nil {
		o.mu.Unlock()
		return err
	}
	if !j.state.final() && !o.cfg.EarlyResults { // code and text are a guess
		o.mu.Unlock()
		return refuse(400, "INVALIDJOBSTATE", "InvalidJobState : Job is in %s state, results are available when it has ended", j.state)
	}
	if c.version != j.version {
		o.violation(j.id, ViolationVersion, "results asked for with %s, the job was made with %s", c.version, j.version)
	}
	w := resultWriter{job: j, kind: kind, cfg: &o.cfg, layout: j.layout, plan: j.plan}
	w.delim = delimiters[j.spec.ColumnDelimiter]
	w.outDelim, w.eol = w.delim, "\n"
	if o.cfg.CommaResults {
		w.outDelim = ','
	}
	if j.spec.LineEnding == "CRLF" {
		w.eol = "\r\n"
	}
	w.done, w.outcomes = j.done, j.outcomes
	if !j.state.final() { // what is there now
		w.done = append([]bool(nil), j.done...)
		w.outcomes = append([]outcome(nil), j.outcomes...)
	}
	w.failures = j.failures[:len(j.failures):len(j.failures)]
	w.org = o
	w.lose = o.cfg.LoseOverQuota && strings.HasPrefix(j.message, exceededQuota)
	if f := activeRule(j.rules, FaultDropResult); f != nil {
		w.drop = f.Every
	}
	if j.sunk != nil && j.sunk.Fault == "" { // there is a header and nothing else
		w.layout, _ = split(strings.NewReader(j.sunk.Header), j.dialect(&o.cfg)) // which it was read with before
	}
	open := j.uploaded && j.sunk == nil
	var f *os.File
	if open {
		f, err = os.Open(o.uploadPath(j))
	}
	o.mu.Unlock()
	if err != nil {
		return fmt.Errorf("open upload: %w", err)
	}
	if open {
		defer f.Close()
		w.body, w.size = f, j.size
	}
	if err := w.prepare(); err != nil {
		return err
	}
	out := c.stream(200, "text/csv; charset=UTF-8")
	w.out = bufio.NewWriterSize(out, 64<<10)
	err = w.write()
	if ferr := w.out.Flush(); err == nil {
		err = ferr
	}
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	if err != nil { // the answer has begun; all that is left is to cut it
		o.cfg.Logger.Debug("local org: results cut", "job", j.id.String(), "error", err)
		panic(http.ErrAbortHandler)
	}
	return nil
}

// resultWriter writes one result set.
type resultWriter struct {
	org             *Org
	job             *job
	kind            resultKind
	cfg             *Config
	layout          *layout // nil when the upload could not be read
	plan            *plan   // nil when its header could not
	body            io.ReaderAt
	size            int64
	delim, outDelim byte
	eol             string
	done            []bool
	outcomes        []outcome
	failures        []failure
	lose            bool // rows that were not processed are not told of
	drop            int  // every how many rows one is missing; 0: none is
	out             *bufio.Writer
	columns         []*field // by place: fields whose values are written anew
	rows            []resultRow
	order           []int
	scratch         []byte
}

// resultRow is a row that waits for its turn.
type resultRow struct {
	raw     []byte
	outcome outcome
}

// prepare reads the layout again when it is not there: after a restart, or when the job never got that far.
func (w *resultWriter) prepare() error {
	if w.layout == nil && w.body != nil {
		l, err := split(io.NewSectionReader(w.body, 0, w.size), w.job.dialect(w.cfg))
		if _, bad := err.(*jobError); err != nil && !bad {
			return err
		}
		w.layout = l // nil when the upload is at fault
	}
	if w.layout == nil || len(w.layout.names) == 0 {
		return nil
	}
	w.columns = make([]*field, len(w.layout.names))
	if w.plan == nil {
		w.plan, _ = w.org.compile(w.job, w.layout.names)
	}
	if w.plan != nil {
		for _, c := range w.plan.columns {
			if c.parent == nil {
				w.columns[c.place] = c.field
			}
		}
	}
	return nil
}

func (w *resultWriter) write() error {
	if w.layout == nil { // the upload could not be read: nothing was processed
		w.header(nil)
		if w.kind == resultUnprocessed && w.body != nil {
			_, err := io.Copy(w.out, io.NewSectionReader(w.body, 0, w.size))
			return err
		}
		return nil
	}
	w.header(w.layout.header)
	chunks := w.layout.chunkCount()
	for i := range chunks {
		w.order = append(w.order, i)
	}
	rng := rand.New(rand.NewPCG(w.cfg.Seed, uint64(w.job.number)<<2|uint64(w.kind)))
	w.shuffle(rng, len(w.order), func(a, b int) { w.order[a], w.order[b] = w.order[b], w.order[a] })
	// As many chunks as a batch has are held at a time, and their rows mixed.
	for len(w.order) > 0 {
		n := min(batchChunks, len(w.order))
		w.rows = w.rows[:0]
		for _, chunk := range w.order[:n] {
			if err := w.collect(chunk); err != nil {
				return err
			}
		}
		w.order = w.order[n:]
		w.shuffle(rng, len(w.rows), func(a, b int) { w.rows[a], w.rows[b] = w.rows[b], w.rows[a] })
		if err := w.flush(); err != nil {
			return err
		}
	}
	return nil
}

func (w *resultWriter) shuffle(rng *rand.Rand, n int, swap func(a, b int)) {
	if !w.cfg.KeepOrder {
		rng.Shuffle(n, swap)
	}
}

// header writes the columns that the set adds and the uploaded header as it is.
func (w *resultWriter) header(uploaded []byte) {
	if w.outDelim != w.delim && w.layout != nil {
		uploaded = nil
		for i, name := range w.layout.names {
			if i > 0 {
				uploaded = append(uploaded, w.outDelim)
			}
			uploaded = appendQuoted(uploaded, []byte(name))
		}
	}
	switch w.kind {
	case resultSuccessful:
		fmt.Fprintf(w.out, `"sf__Id"%c"sf__Created"`, w.outDelim)
	case resultFailed:
		fmt.Fprintf(w.out, `"sf__Id"%c"sf__Error"`, w.outDelim)
	default:
		if uploaded == nil {
			return
		}
	}
	if uploaded != nil {
		if w.kind != resultUnprocessed {
			w.out.WriteByte(w.outDelim)
		}
		w.out.Write(uploaded)
	}
	w.out.WriteString(w.eol)
}

// collect reads the rows of a chunk that belong to the set.
func (w *resultWriter) collect(chunk int) error {
	done := chunk < len(w.done) && w.done[chunk]
	if done == (w.kind == resultUnprocessed) || !done && w.lose {
		return nil
	}
	n := w.layout.rowsOf(chunk)
	first := chunk * chunkRows
	if done {
		any := false
		for _, oc := range w.outcomes[first : first+n] {
			any = any || w.belongs(oc)
		}
		if !any {
			return nil
		}
	}
	data := make([]byte, w.layout.chunks[chunk+1]-w.layout.chunks[chunk])
	if _, err := w.body.ReadAt(data, w.layout.chunks[chunk]); err != nil {
		return err
	}
	var rec csvRecord
	for row := 0; row < n; {
		if err := rec.read(data, w.delim, true); err != nil {
			return err
		}
		if len(rec.cells) > 0 {
			if !done {
				w.rows = append(w.rows, resultRow{raw: data[:rec.end]})
			} else if oc := w.outcomes[first+row]; w.belongs(oc) && (w.drop == 0 || (first+row+1)%w.drop != 0) {
				w.rows = append(w.rows, resultRow{data[:rec.size], oc})
			}
			row++
		}
		data = data[rec.size:]
	}
	return nil
}

func (w *resultWriter) belongs(oc outcome) bool {
	return oc&outcomeFailed != 0 == (w.kind == resultFailed)
}

func (w *resultWriter) flush() error {
	var rec csvRecord
	for _, row := range w.rows {
		if w.kind == resultUnprocessed && w.outDelim == w.delim {
			w.out.Write(row.raw)
			w.out.WriteString(w.eol)
			continue
		}
		if err := rec.read(row.raw, w.delim, true); err != nil {
			return err
		}
		b := w.scratch[:0]
		if w.kind != resultUnprocessed {
			b = w.appendMeta(b, row.outcome)
		}
		for i, c := range rec.cells {
			if len(b) > 0 {
				b = append(b, w.outDelim)
			}
			var f *field
			if i < len(w.columns) {
				f = w.columns[i]
			}
			b = w.appendEcho(b, f, c.text())
		}
		b = append(b, w.eol...)
		w.scratch = b
		if _, err := w.out.Write(b); err != nil {
			return err
		}
	}
	return nil
}

// appendMeta writes the two columns that the set adds.
func (w *resultWriter) appendMeta(b []byte, oc outcome) []byte {
	if oc&outcomeFailed != 0 {
		f := w.failures[oc&^outcomeFailed]
		b = appendQuoted(b, []byte(f.id))
		b = append(b, w.outDelim)
		return appendQuoted(b, []byte(f.text))
	}
	t := w.org.tables[w.job.obj.index]
	b = append(b, '"')
	b = t.id(uint32(oc &^ outcomeCreated)).append(b)
	b = append(b, '"', w.outDelim, '"')
	b = strconv.AppendBool(b, oc&outcomeCreated != 0)
	return append(b, '"')
}

// appendEcho writes an uploaded value as the org gives it back: quoted, numbers in its own notation, the rest as it
// came unless Config.EchoTyped is set.
func (w *resultWriter) appendEcho(b []byte, f *field, text []byte) []byte {
	if f == nil || len(text) == 0 {
		return appendQuoted(b, text)
	}
	switch f.kind {
	case kindDouble, kindInt:
		if !isDecimal(text) {
			break
		}
		x, err := strconv.ParseFloat(string(text), 64)
		if err != nil {
			break
		}
		b = append(b, '"')
		if f.kind == kindInt {
			b = strconv.AppendFloat(b, float64(int64(x)), 'f', -1, 64)
		} else {
			b = appendJavaDouble(b, x)
		}
		return append(b, '"')
	case kindDate, kindDatetime, kindBool:
		if !w.cfg.EchoTyped {
			break
		}
		v, fault, ok := f.parse(text)
		if !ok || fault != nil {
			break
		}
		if f.kind == kindDatetime { // 2006-01-02T15:04:05Z with milliseconds
			v = append(v[:len(v)-1], ".000Z"...)
		}
		return appendQuoted(b, v)
	}
	if w.cfg.EchoTyped && string(text) == string(notAvailable) {
		text = nil
	}
	return appendQuoted(b, text)
}

func appendQuoted(dst, text []byte) []byte {
	dst = append(dst, '"')
	for _, c := range text {
		if c == '"' {
			dst = append(dst, '"')
		}
		dst = append(dst, c)
	}
	return append(dst, '"')
}
