package localorg

import (
	"bufio"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// resultFile is the answer of a query job as it lies on disk: its rows, then the places of every thousandth of them as
// 8 bytes each, so that a page anywhere starts at once.
type resultFile struct {
	rows   int
	size   int64   // bytes of the rows
	places []int64 // nil after a restart, until they are needed
}

const resultStep = 1000 // rows between two places

// queryAttempts is how many times the org tries a query that times out.
const queryAttempts = 15

var errQueryTimeout = errors.New("the query timed out")

// runQueryJob finds the records and writes the result.
func (o *Org) runQueryJob(j *queryJob) error {
	if _, err := o.uploadDir(); err != nil {
		return err
	}
	o.mu.RLock()
	path := o.resultPath(j)
	o.mu.RUnlock()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	w := queryWriter{org: o, job: j, out: bufio.NewWriterSize(f, 256<<10), delim: delimiters[j.spec.ColumnDelimiter], eol: j.eol()}
	err = w.write()
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// queryWriter writes the rows of a result.
type queryWriter struct {
	org   *Org
	job   *queryJob
	out   *bufio.Writer
	delim byte
	eol   string
	buf   []byte
	file  resultFile
	told  int  // rows that the job knows of
	over  bool // it has more rows than Config.QueryRows allows
	began time.Time
	err   error
}

func (w *queryWriter) write() error {
	q, all := w.job.query, w.job.all()
	t := w.org.table(q.from)
	w.began = time.Now()
	if len(q.orderBy) > 0 {
		found := w.org.find(q, all)
		if most := w.org.cfg.QueryRows; most > 0 && len(found) > most {
			return errQueryTimeout
		}
		w.org.steps(len(found), func(i int) bool {
			if t.places[found[i]] != 0 {
				w.add(t, found[i], t.record(found[i]))
			}
			return true
		}, w.step)
	} else if q.limit != 0 {
		w.org.prepare(q.where)
		w.org.scan(q, all, func(ord uint32, r record) bool {
			if most := w.org.cfg.QueryRows; most > 0 && w.file.rows == most {
				w.over = true
				return false
			}
			w.add(t, ord, r)
			return w.file.rows != q.limit
		}, w.step)
	}
	if w.over {
		return errQueryTimeout
	}
	if w.err != nil {
		return w.err
	}
	foot := make([]byte, 0, 8*len(w.file.places))
	for _, p := range w.file.places {
		foot = binary.LittleEndian.AppendUint64(foot, uint64(p))
	}
	if _, err := w.out.Write(foot); err != nil {
		return err
	}
	if err := w.out.Flush(); err != nil {
		return err
	}
	w.org.mu.Lock()
	defer w.org.mu.Unlock()
	w.job.result = w.file
	return nil
}

// step writes what a hold of the lock has brought, and takes the time that it costs. It is false when that fails or nobody wants
// the result any more.
func (w *queryWriter) step() bool {
	if w.over {
		return false
	}
	_, w.err = w.out.Write(w.buf)
	w.buf = w.buf[:0]
	rows := w.file.rows - w.told
	w.told = w.file.rows
	if w.err != nil || !w.org.sleep(w.org.cfg.BatchTime*time.Duration(rows)/batchRows) {
		return false
	}
	w.org.mu.Lock()
	defer w.org.mu.Unlock()
	w.job.processed = w.file.rows
	w.job.active = time.Since(w.began)
	return w.job.state == stateInProgress && !w.org.closed
}

// add writes one record. Callers hold the lock.
func (w *queryWriter) add(t *table, ord uint32, r record) {
	if w.file.rows%resultStep == 0 {
		w.file.places = append(w.file.places, w.file.size)
	}
	was := len(w.buf)
	for i, p := range w.job.query.fields {
		if i > 0 {
			w.buf = append(w.buf, w.delim)
		}
		w.buf = appendQueried(w.buf, p.field, w.org.follow(&p, t, ord, r))
	}
	w.buf = append(w.buf, w.eol...)
	w.file.rows++
	w.file.size += int64(len(w.buf) - was)
}

// appendQueried writes a value as query results have it: all quoted, null as "", numbers of type double in Java's form,
// times with milliseconds.
func appendQueried(b []byte, f *field, v []byte) []byte {
	switch {
	case v == nil:
		return append(b, `""`...)
	case f.kind == kindDouble:
		x, _ := strconv.ParseFloat(string(v), 64)
		b = appendJavaDouble(append(b, '"'), x)
		return append(b, '"')
	case f.kind == kindDatetime:
		b = append(b, '"')
		b = append(b, v[:len(v)-1]...)
		return append(b, `.000Z"`...)
	}
	return appendQuoted(b, v)
}

// header is the first line of every page.
func (j *queryJob) header() []byte {
	var b []byte
	for i, p := range j.query.fields {
		if i > 0 {
			b = append(b, delimiters[j.spec.ColumnDelimiter])
		}
		b = appendQuoted(b, []byte(p.column()))
	}
	return append(b, j.eol()...)
}

// column is the header of a path in a result: names as in the describe, whatever the query's spelling.
func (p *path) column() string {
	var parts []string
	for _, s := range p.steps {
		parts = append(parts, s.RelationshipName)
	}
	return strings.Join(append(parts, p.field.Name), ".")
}

// answered finds a complete job for a call for its results.
func (o *Org) answered(c *call) (*queryJob, *os.File, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	j, err := o.queryJob(c.args[0])
	switch {
	case err != nil:
		return nil, nil, err
	case c.version != j.version: // code and text are a guess
		o.violation(j.id, ViolationVersion, "results asked for with %s, the job was made with %s", c.version, j.version)
		return nil, nil, refuse(409, "API_VERSION_MISMATCH", "The job was created with API version %s; use the same version to get its results", j.version)
	case j.state != stateJobComplete: // code and text are a guess
		return nil, nil, refuse(400, "INVALIDJOBSTATE", "InvalidJobState : Job is in %s state, results are available when it has completed", j.state)
	}
	f, err := os.Open(o.resultPath(j))
	if err != nil {
		return nil, nil, err
	}
	if j.result.places == nil && j.result.rows > 0 {
		foot := make([]byte, 8*((j.result.rows+resultStep-1)/resultStep))
		if _, err := f.ReadAt(foot, j.result.size); err != nil {
			f.Close()
			return nil, nil, fmt.Errorf("read the places of a result: %w", err)
		}
		for ; len(foot) > 0; foot = foot[8:] {
			j.result.places = append(j.result.places, int64(binary.LittleEndian.Uint64(foot)))
		}
	}
	return j, f, nil
}

// queryResults answers with one page of a result.
func (o *Org) queryResults(c *call) error {
	j, f, err := o.answered(c)
	if err != nil {
		return err
	}
	defer f.Close()
	q := c.r.URL.Query()
	from, err := readLocator(q.Get("locator"), j.result.rows)
	if err != nil {
		return err
	}
	most := o.cfg.ResultPage
	if text := q.Get("maxRecords"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n <= 0 { // the text is a guess
			return refuse(400, "API_ERROR", "Invalid value: '%s' supplied for property: 'maxRecords'", text)
		}
		most = n // an upper bound; the page may hold fewer
	}
	end := j.result.pageEnd(from, most, o.cfg.ResultFile)
	start, err := placeOf(f, &j.result, from)
	if err != nil {
		return err
	}
	stop, err := placeOf(f, &j.result, end)
	if err != nil {
		return err
	}
	locator := "null"
	if end < j.result.rows {
		locator = makeLocator(end)
	}
	c.w.Header().Set("Sforce-Locator", locator)
	c.w.Header().Set("Sforce-NumberOfRecords", itoa(end-from))
	out := c.stream(200, "text/csv; charset=UTF-8")
	_, err = out.Write(j.header())
	if err == nil {
		_, err = io.CopyBuffer(struct{ io.Writer }{out}, io.NewSectionReader(f, start, stop-start), make([]byte, 256<<10))
	}
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	if err != nil { // the answer has begun; all that is left is to cut it
		panic(http.ErrAbortHandler)
	}
	return nil
}

// pageEnd gives the row after the last one of a page: most rows, and no more bytes than a file may have, but one
// step of rows at least.
func (r *resultFile) pageEnd(from, most int, bytes int64) int {
	end := from + min(most, r.rows-from)
	for step := from/resultStep + 1; step < len(r.places) && step*resultStep < end; step++ {
		next := r.size
		if step+1 < len(r.places) {
			next = r.places[step+1]
		}
		if next-r.places[from/resultStep] > bytes {
			return step * resultStep
		}
	}
	return end
}

// placeOf gives the byte where a row begins.
func placeOf(f io.ReaderAt, r *resultFile, row int) (int64, error) {
	if row >= r.rows {
		return r.size, nil
	}
	at := r.places[row/resultStep]
	rest := row % resultStep
	if rest == 0 {
		return at, nil
	}
	in := bufio.NewReaderSize(io.NewSectionReader(f, at, r.size-at), 64<<10)
	quoted := false
	for rest > 0 { // every quote inside a value is doubled, so that counting them tells inside from outside
		b, err := in.ReadByte()
		if err != nil {
			return 0, fmt.Errorf("find row %d of a result: %w", row, err)
		}
		at++
		switch {
		case b == '"':
			quoted = !quoted
		case b == '\n' && !quoted:
			rest--
		}
	}
	return at, nil
}

// makeLocator is opaque to clients: the number of a row, in base64 without padding.
func makeLocator(row int) string { return base64.RawURLEncoding.EncodeToString([]byte(itoa(row))) }

func readLocator(text string, rows int) (int, error) {
	if text == "" {
		return 0, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	n, nerr := strconv.Atoi(string(raw))
	if err != nil || nerr != nil || n < 0 || n > rows || makeLocator(n) != text { // the text is a guess
		return 0, refuse(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
	}
	return n, nil
}

const pagesPerAnswer = 5

// resultPages answers with the addresses of the next pages, which may be read side by side.
func (o *Org) resultPages(c *call) error {
	if c.major < 58 {
		return errNotFound
	}
	j, f, err := o.answered(c)
	if err != nil {
		return err
	}
	f.Close()
	from, err := readLocator(c.r.URL.Query().Get("locator"), j.result.rows)
	if err != nil {
		return err
	}
	base := "/services/data/v" + c.version + "/jobs/query/" + j.id.String()
	type page struct {
		ResultURL string `json:"resultUrl"`
	}
	var pages []page
	for len(pages) < pagesPerAnswer && (from < j.result.rows || len(pages) == 0) {
		pages = append(pages, page{base + "/results?locator=" + makeLocator(from)})
		from = j.result.pageEnd(from, o.cfg.ResultPage, o.cfg.ResultFile)
	}
	var next any
	if from < j.result.rows {
		next = base + "/resultPages?locator=" + makeLocator(from)
	}
	return c.reply(200, map[string]any{"resultPages": pages, "nextRecordsUrl": next, "done": next == nil})
}

// sortColumns gives the fields in the order in which a result has them: that of the query, and before v50 that of the alphabet.
func sortColumns(q *soql, major int) {
	if major < 50 {
		slices.SortStableFunc(q.fields, func(a, b path) int { return strings.Compare(a.column(), b.column()) })
	}
}
