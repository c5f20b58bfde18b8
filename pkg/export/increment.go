package export

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Increment is what one run of an export with a watermark brings: the changes since the mark, or all rows. It is decided when the run begins,
// and kept with it.
type Increment struct {
	Dir   string `json:"dir"` // folder of the mark
	Field string `json:"field"`
	// Floor is from where on rows are asked for: the mark less the overlap. Zero = all rows are.
	Floor time.Time `json:"floor,omitzero"`
	// Until is where the mark goes. Rows of an increment are before it; of all rows some may be behind it.
	Until time.Time `json:"until"`
	// Keep is from where on rows are remembered, since the next run asks for them again.
	Keep    time.Time `json:"keep"`
	Why     string    `json:"why,omitempty"`     // why all rows are exported; "" = they are not
	Deletes bool      `json:"deletes,omitempty"` // rows that are in the recycle bin are deletes
	Compare bool      `json:"compare,omitempty"` // with the ids that the org has
	IDs     bool      `json:"ids,omitempty"`     // are remembered
	// Known is how much of the log of the ids tells what may be in the copy: what belongs to the mark, and what runs have left that began before.
	Known int64 `json:"known,omitempty"`
	Was   *Mark `json:"was,omitempty"` // the mark when the run began; nil = there was none
	Next  Mark  `json:"next"`          // what it becomes, but for its files
}

// Whole reports whether all rows are exported.
func (i *Increment) Whole() bool { return i.Floor.IsZero() }

// Asks are the conditions of the query.
func (i *Increment) Asks(literal func(time.Time) string) []string {
	if i.Whole() {
		return nil
	}
	return []string{i.Field + " >= " + literal(i.Floor), i.Field + " < " + literal(i.Until)}
}

// Wanted is what the export is now.
type Wanted struct {
	Run, Org, Query, Target, Field string
	Columns                        []Column
	Overlap                        time.Duration
	Refresh                        time.Duration // how often all rows are exported; 0 = when there is a reason
	Deletes                        bool
	Compare                        time.Duration // how often ids are compared; 0 = never
	// Drift is what is done when the columns are others: "refresh", or "", exports all rows, "add" goes on, "fail" is a *DriftError.
	Drift string
	// Stands tells whether the table is there that was exported to before. It is asked only if all else speaks for changes. nil = it is.
	Stands func() (bool, error)
}

// ErrOtherOrg says that a mark is of another org.
var ErrOtherOrg = errors.New("its mark is of another org")

// DriftError says that the columns are others than the last time, and that this is not wanted.
type DriftError struct{ Changes string }

func (e *DriftError) Error() string {
	return "the columns are others than the last time: " + e.Changes + "; drift: refresh exports all rows again, drift: add goes on with them, or name the fields"
}

// Begin decides what a run brings. now is the org's clock. The folder is made; nobody else works with it.
func Begin(dir string, w Wanted, now time.Time) (*Increment, []string, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("the folder of the mark: %w", err)
	}
	mark, err := ReadMark(dir)
	if err != nil {
		return nil, nil, err
	}
	if err := mark.tidy(dir); err != nil {
		return nil, nil, fmt.Errorf("the folder of the mark: %w", err)
	}
	i, notes, err := mark.decide(dir, w, now)
	if err != nil || i.Whole() || !i.IDs {
		return i, notes, err
	}
	log, err := openIDLog(i.file(mark.IDs), mark.IDBytes)
	if err != nil {
		return nil, nil, err
	}
	i.Known = log.n
	return i, notes, log.close()
}

// Foresee is Begin for a run that may begin later: nothing is written.
func Foresee(dir string, w Wanted, now time.Time) (*Increment, []string, error) {
	mark, err := ReadMark(dir)
	if err != nil {
		return nil, nil, err
	}
	return mark.decide(dir, w, now)
}

// decide does what Begin says; m may be nil.
func (m *Mark) decide(dir string, w Wanted, now time.Time) (inc *Increment, notes []string, err error) {
	now = now.UTC().Truncate(time.Second) // stamps have whole seconds
	inc = &Increment{Dir: dir, Field: w.Field, Until: now, Deletes: w.Deletes, IDs: w.Deletes && w.Compare > 0, Was: m,
		Next: Mark{Version: markVersion, Org: w.Org, Query: w.Query, Target: w.Target, Field: w.Field, Columns: w.Columns, Run: w.Run}}
	if m == nil {
		inc.Why = "it is the first time"
	} else if inc.Why, err = m.outdated(w, now); err != nil {
		return nil, nil, err
	}
	if m != nil && inc.Why == "" {
		if changes := m.drift(w.Columns); changes != "" {
			notes = append(notes, "columns: "+changes+"; rows that do not change stay as they are")
		}
		if now.Before(m.Until) {
			notes = append(notes, fmt.Sprintf("the org's clock stands before the watermark, %s; only the overlap is asked", m.Until.Format(time.RFC3339)))
			inc.Until = m.Until
		}
		inc.Floor = m.Until.Add(-w.Overlap)
		compared := m.Whole
		if m.Compared.After(compared) {
			compared = m.Compared
		}
		inc.Compare = inc.IDs && due(compared, w.Compare, now)
		inc.Next.Whole, inc.Next.Compared = m.Whole, m.Compared
		if inc.Compare {
			inc.Next.Compared = now
		}
	} else {
		inc.Next.Whole = now
	}
	inc.Keep = inc.Until.Add(-w.Overlap)
	inc.Next.Until = inc.Until
	return inc, notes, nil
}

// outdated says why changes since the mark are not enough, "" when they are.
func (m *Mark) outdated(w Wanted, now time.Time) (string, error) {
	changes := m.drift(w.Columns)
	switch {
	case m.Org != w.Org:
		return "", fmt.Errorf("%w, %s; give the job another name, or remove its folder", ErrOtherOrg, m.Org)
	case changes != "" && w.Drift == "fail":
		return "", &DriftError{Changes: changes}
	case m.Field != w.Field:
		return "the watermark was of " + m.Field, nil
	case m.Query != w.Query:
		return "the query is another than the last time", nil
	case m.Target != w.Target:
		return "it goes to another place than the last time", nil
	case changes != "" && w.Drift != "add":
		return "the columns are others than the last time: " + changes, nil
	case w.Refresh > 0 && due(m.Whole, w.Refresh, now):
		return "that was done last " + m.Whole.Format(time.RFC3339), nil
	case w.Deletes && w.Compare > 0 && m.IDs == "":
		return "the ids of what was exported are not known", nil
	case w.Stands == nil:
		return "", nil
	}
	stands, err := w.Stands()
	if err == nil && !stands {
		return "the table is not there any more", nil
	}
	return "", err
}

// due says whether something that is done every so often is to be done now: a run may begin somewhat earlier than the one before.
func due(last time.Time, every time.Duration, now time.Time) bool {
	return now.Sub(last) >= every-min(every/10, time.Hour)
}

// file is a file beside the mark.
func (i *Increment) file(name string) string { return filepath.Join(i.Dir, name) }
