package localorg

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// Org is a local org. Open makes one; Close ends it.
type Org struct {
	cfg    Config
	schema *schema
	routes []route
	dir    string // where uploads lie
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu            sync.RWMutex // guards all below
	tables        []*table     // by object index
	prefixes      map[string]*table
	lookups       [][]lookup // by object index: who may point to its records
	user          []byte     // id of the org's own user, 18 characters
	jobs          map[uint32]*job
	queryJobs     map[uint32]*queryJob
	nextJob       uint32             // of both kinds
	firstJob      uint64             // number of the id of job 0
	sessions      map[string]session // by access token
	grants        map[string]*grant  // by refresh token
	codes         map[string]code
	families      int
	queries       map[string]*cursor
	nextQuery     uint64
	queue         []task // internal batches that wait for a slot
	running       int
	inFlight      map[*http.Request]time.Time // calls that are not answered yet
	calls         window                      // requests of the last 24 hours
	batches       window
	queryJobCount window
	records       window
	locks         lockTable
	lockFields    [][]*field // by object index: lookups whose records a save locks
	reshaped      time.Time  // when the schema was last changed
	reserved      int        // rows of batches that run, still to be counted in records
	audit         auditLog
	faults        []*Fault
	rules         []*Rule
	purged        time.Time // when jobs that are gone were last looked for
	journal       *journal  // nil in memory
	frame         []byte    // scratch of commit
	scratch       []byte
	broken        error // why nothing can be kept any more
	closed        bool
}

const orgID = "00D5g0000000001"

// Open makes the org that cfg describes or, when cfg.Dir holds one, goes on with it: jobs that were under way are
// taken up again at once. The caller must Close it.
func Open(cfg Config) (*Org, error) {
	if err := cfg.check(); err != nil {
		return nil, &ConfigError{err}
	}
	cfg = cfg.withDefaults()
	s, err := cfg.schema()
	if err != nil {
		return nil, &ConfigError{fmt.Errorf("open local org: %w", err)}
	}
	o := &Org{
		cfg: cfg, schema: s.clone(), reshaped: schemaDate,
		prefixes: map[string]*table{}, jobs: map[uint32]*job{}, queryJobs: map[uint32]*queryJob{}, sessions: map[string]session{}, grants: map[string]*grant{}, codes: map[string]code{}, queries: map[string]*cursor{}, inFlight: map[*http.Request]time.Time{},
	}
	if err := o.findLockFields(); err != nil {
		return nil, &ConfigError{err}
	}
	o.routes = routes()
	o.ctx, o.cancel = context.WithCancel(context.Background())
	if cfg.Dir == "" {
		o.build(cfg.Seed)
	} else if err := o.openDir(); err != nil {
		o.cancel()
		return nil, fmt.Errorf("open local org in %s: %w", cfg.Dir, err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, j := range o.sortedJobs() {
		if j.state == stateUploadComplete || j.state == stateInProgress {
			o.startLater(j)
		}
	}
	for _, n := range sortedKeys(o.queryJobs) {
		if j := o.queryJobs[n]; !j.state.final() {
			o.startQuery(j)
		}
	}
	return o, nil
}

// build makes the empty tables and the records that every org has.
func (o *Org) build(seed uint64) {
	o.cfg.Seed = seed
	o.firstJob = firstID("750", seed)
	for _, obj := range o.schema.objects {
		t := newTable(obj, seed, o.cfg.AutoNumbers)
		o.tables = append(o.tables, t)
		o.prefixes[obj.KeyPrefix] = t
	}
	o.findLookups()
	o.addFixtures()
}

// Close stops all processing, waits for it, and releases the folder. Jobs under way stay as they are; an org in Dir
// goes on with them when it is opened again.
func (o *Org) Close() error {
	o.mu.Lock()
	if o.closed {
		o.mu.Unlock()
		return nil
	}
	o.closed = true
	o.queue = nil
	o.mu.Unlock()
	o.cancel()
	o.wg.Wait()

	o.mu.Lock()
	defer o.mu.Unlock()
	var err error
	if o.journal != nil {
		err = o.journal.close()
	} else if o.dir != "" {
		err = os.RemoveAll(o.dir)
	}
	if err != nil {
		return fmt.Errorf("close local org: %w", err)
	}
	return nil
}

// uploadPath is where the upload of a job lies. Callers hold the lock.
func (o *Org) uploadPath(j *job) string { return filepath.Join(o.dir, j.id.String()+".csv") }

// uploadDir makes the folder for uploads when it is first needed.
func (o *Org) uploadDir() (string, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return "", errors.New("the local org is closed")
	}
	if o.dir == "" {
		dir, err := os.MkdirTemp("", "localorg-")
		if err != nil {
			return "", err
		}
		o.dir = dir
	}
	return o.dir, nil
}

func (o *Org) now() time.Time { return o.cfg.Now() }

func (o *Org) table(obj *object) *table { return o.tables[obj.index] }

// sortedKeys gives the numbers of jobs in ascending order.
func sortedKeys[V any](jobs map[uint32]V) []uint32 {
	return slices.Sorted(maps.Keys(jobs))
}

// sortedJobs gives the jobs by their number.
func (o *Org) sortedJobs() []*job {
	jobs := make([]*job, 0, len(o.jobs))
	for _, j := range o.jobs {
		jobs = append(jobs, j)
	}
	slices.SortFunc(jobs, func(a, b *job) int { return cmp.Compare(a.number, b.number) })
	return jobs
}

// locate finds the record with an id in any table.
func (o *Org) locate(id id15) (*table, uint32, bool) {
	t := o.prefixes[id.prefix()]
	if t == nil {
		return nil, 0, false
	}
	ord, ok := t.ordinal(id)
	return t, ord, ok
}

// Count gives how many records of the object there are, without the recycle bin. An unknown object has none.
func (o *Org) Count(name string) int {
	o.mu.RLock()
	defer o.mu.RUnlock()
	obj := o.schema.object(name)
	if obj == nil {
		return 0
	}
	return o.table(obj).live
}

// Records walks over the records of an object in the order of their creation, without the recycle bin, and yields
// the named fields as text: null is "", numbers are plain decimals, times are in UTC. It panics when the object or a
// field is unknown. Records that are saved during the walk may or may not be seen.
func (o *Org) Records(name string, fields ...string) iter.Seq[[]string] {
	obj := o.schema.object(name)
	if obj == nil {
		panic("localorg: no object " + name)
	}
	var cols []*field
	for _, f := range fields {
		if obj.field(f) == nil {
			panic("localorg: no field " + name + "." + f)
		}
		cols = append(cols, obj.field(f))
	}
	return func(yield func([]string) bool) {
		const step = 1000 // records per hold of the lock
		var rows [][]string
		for from := uint32(0); ; from += step {
			rows = rows[:0]
			o.mu.RLock()
			t := o.table(obj)
			end := min(from+step, uint32(len(t.places)))
			for ord := from; ord < end; ord++ {
				if t.places[ord] == 0 || t.record(ord).deleted() {
					continue
				}
				row := make([]string, len(cols))
				for i, f := range cols {
					row[i] = string(o.value(t, ord, t.record(ord), f))
				}
				rows = append(rows, row)
			}
			done := end == uint32(len(t.places))
			o.mu.RUnlock()
			for _, row := range rows {
				if !yield(row) {
					return
				}
			}
			if done {
				return
			}
		}
	}
}
