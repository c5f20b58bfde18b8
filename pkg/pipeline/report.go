package pipeline

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"

	"migrate/pkg/bulk2"
	"migrate/pkg/checkpoint"
)

// The report files of a job. A file is there only when it has a row.
const (
	FailedFile      = "failed.csv"      // refused by the org
	UnprocessedFile = "unprocessed.csv" // sent, but the org never tried them
	UnaccountedFile = "unaccounted.csv" // sent, and named by no result: in the org or not, look before sending them again
	RejectedFile    = "rejected.csv"    // stopped before they were sent
	SuccessFile     = "success.csv"     // in the org, with their ids
)

// ReportFiles lists the reports whose rows are not known to be in the org, those that matter most first.
var ReportFiles = []string{UnaccountedFile, FailedFile, UnprocessedFile, RejectedFile}

// ReportColumns stand behind the source columns in all report files but success.csv.
var ReportColumns = []string{"migrate_file", "migrate_line", "migrate_attempt", "migrate_job", "migrate_code", "migrate_message", "migrate_transient"}

// CodeUnprocessed and CodeUnaccounted stand in migrate_code where the org gave none.
const (
	CodeUnprocessed = "UNPROCESSED" // the org says that it did not try the row
	CodeUnaccounted = "UNACCOUNTED" // no result names the row
)

// reportRow is what stands behind a row's source columns.
type reportRow struct {
	File      string
	Line      string
	Attempt   int
	Job       string
	Code      string
	Message   string
	Transient bool
}

func appendReportRow(dst []byte, values []string, r reportRow) []byte {
	attempt := ""
	if r.Attempt > 0 {
		attempt = strconv.Itoa(r.Attempt)
	}
	return bulk2.AppendRecord(dst, append(values[:len(values):len(values)], r.File, r.Line, attempt, r.Job,
		r.Code, r.Message, strconv.FormatBool(r.Transient))...)
}

// reports are the report files of a run. They only grow, and what they hold belongs to the run up to the length that the
// checkpoint knows; what stands behind it was written for a step that was never recorded.
type reports struct {
	dir string
	mu  sync.Mutex // held from the first append of a step until the step is recorded or given up
	len checkpoint.Offsets
	err error // of a step that could not be recorded: what is on disk is then only known after a restart
}

// openReports cuts every report file to its recorded length.
func openReports(dir string, recorded checkpoint.Offsets, folders []string) (*reports, error) {
	r := &reports{dir: dir, len: maps.Clone(recorded)}
	for _, folder := range folders {
		for _, file := range append([]string{SuccessFile}, ReportFiles...) {
			name := filepath.Join(folder, file)
			path := filepath.Join(dir, name)
			info, err := os.Stat(path)
			switch want := r.len[name]; {
			case errors.Is(err, fs.ErrNotExist):
				if want > 0 {
					return nil, fmt.Errorf("report %s is gone; it held %d bytes that belong to this run", path, want)
				}
			case err != nil:
				return nil, fmt.Errorf("report: %w", err)
			case info.Size() < want:
				return nil, fmt.Errorf("report %s has %d bytes, %d belong to this run: somebody has changed it", path, info.Size(), want)
			case want == 0:
				if err := os.Remove(path); err != nil {
					return nil, fmt.Errorf("report: %w", err)
				}
			case info.Size() > want:
				if err := os.Truncate(path, want); err != nil {
					return nil, fmt.Errorf("report: %w", err)
				}
			}
		}
	}
	return r, nil
}

// page is what one step adds to one report file.
type page struct {
	name   string // below the run folder
	header []string
	size   int64
	rows   io.Reader // size bytes
}

// record appends pages, makes them durable, and calls commit with the new lengths. After an error the files belong to the
// run up to an unknown length, so no further step is recorded; the next start cuts them to what the checkpoint says.
func (r *reports) record(pages []page, commit func(checkpoint.Offsets) error) (err error) {
	pages = slices.DeleteFunc(pages, func(p page) bool { return p.size == 0 })
	if len(pages) == 0 {
		return commit(nil)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return r.err
	}
	defer func() { r.err = err }()
	grown := checkpoint.Offsets{}
	for _, p := range pages {
		n, err := r.append(p)
		if err != nil {
			return fmt.Errorf("write report %s: %w", p.name, err)
		}
		grown[p.name] = n
	}
	if err := commit(grown); err != nil {
		return err
	}
	maps.Copy(r.len, grown)
	return nil
}

func (r *reports) append(p page) (int64, error) {
	path := filepath.Join(r.dir, p.name)
	at := r.len[p.name]
	if at == 0 {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return 0, err
		}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	if err := f.Truncate(at); err != nil { // a step before this one was given up
		return 0, err
	}
	length := at
	if at == 0 {
		n, err := f.Write(bulk2.AppendRecord(nil, p.header...))
		if err != nil {
			return 0, err
		}
		length = int64(n)
	} else if _, err := f.Seek(at, io.SeekStart); err != nil {
		return 0, err
	}
	n, err := io.Copy(f, p.rows)
	if err != nil {
		return 0, err
	}
	if n != p.size {
		return 0, io.ErrShortWrite
	}
	length += n
	if err := f.Sync(); err != nil {
		return 0, err
	}
	if at == 0 {
		if err := checkpoint.SyncDir(filepath.Dir(path)); err != nil {
			return 0, err
		}
	}
	return length, nil
}

// pageOf is a page whose rows were written to a spool; nil is a page without rows. The spool stays with the caller.
func pageOf(name string, header []string, rows *spool) (page, error) {
	if rows == nil {
		return page{}, nil
	}
	if _, err := rows.finish(); err != nil {
		return page{}, err
	}
	return page{name: name, header: header, size: rows.size, rows: io.NewSectionReader(rows.f, 0, rows.size)}, nil
}
