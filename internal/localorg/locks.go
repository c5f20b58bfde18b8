package localorg

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// lockTable says which records a transaction has: a chunk for as long as it takes, and what a call saves. A chunk takes all its locks at once or waits, so that nobody waits
// for one who waits. It waits behind those who came before it and want the same. Who comes at the same instant is served by job
// and batch; a request is looked at from the next instant on, so that the order in which goroutines run plays no part and
// virtual time gives the same outcome each time. The org's lock guards it.
type lockTable struct {
	held  map[place]bool
	queue []*lockRequest // in the order in which they are served
}

// lockRequest is the wish of one chunk.
type lockRequest struct {
	since, until time.Time
	job          uint32
	batch        int
	keys         []place
	denied       map[place]bool // what others still had when the wait was over
	done         chan struct{}  // closed when keys are held
}

func (a *lockRequest) compare(b *lockRequest) int {
	return cmp.Or(a.since.Compare(b.since), cmp.Compare(a.job, b.job), cmp.Compare(a.batch, b.batch))
}

func (l *lockTable) enter(r *lockRequest) {
	at, _ := slices.BinarySearchFunc(l.queue, r, (*lockRequest).compare)
	l.queue = slices.Insert(l.queue, at, r)
}

// serve gives locks to whom they can be given, and to those whose wait is over what is free of theirs.
func (l *lockTable) serve(now time.Time) {
	wanted := map[place]bool{} // by somebody further ahead
	l.queue = slices.DeleteFunc(l.queue, func(r *lockRequest) bool {
		if !r.since.Before(now) {
			return false
		}
		late := r.until.Before(now)
		if late {
			r.giveUp(l.held)
		}
		if !late && slices.ContainsFunc(r.keys, func(k place) bool { return l.held[k] || wanted[k] }) {
			for _, k := range r.keys {
				wanted[k] = true
			}
			return false
		}
		if l.held == nil {
			l.held = map[place]bool{}
		}
		for _, k := range r.keys {
			l.held[k] = true
		}
		close(r.done)
		return true
	})
}

// giveUp does without the records that others have.
func (r *lockRequest) giveUp(held map[place]bool) {
	r.denied = map[place]bool{}
	r.keys = slices.DeleteFunc(r.keys, func(k place) bool {
		if held[k] {
			r.denied[k] = true
		}
		return held[k]
	})
}

// release gives locks back. Whose wait was over before does not get them.
func (l *lockTable) release(r *lockRequest, now time.Time) {
	l.serve(now)
	for _, k := range r.keys {
		delete(l.held, k)
	}
	l.serve(now)
}

// rowLock is a record that a row of a chunk must have for itself.
type rowLock struct {
	row int
	key place
	own bool // the record that the row changes
}

// lock takes the locks of a chunk and waits for them. Rows without theirs fail. It gives nil when the org is closing.
func (o *Org) lock(r *batchRun, d *drafter) *lockRequest {
	j := r.job
	s := saver{org: o, op: j.spec.Operation, firstNew: j.firstNew, plan: d.plan}
	var locks []rowLock
	o.mu.Lock()
	for i := range d.drafts {
		if row := &d.drafts[i]; row.fault == nil {
			locks = s.appendLocks(locks, i, row)
		}
	}
	o.mu.Unlock()
	req := o.acquire(locks, j.number, r.batch)
	if req == nil {
		return nil
	}
	req.refused(locks, func(row int, id string, fault *rowFault) {
		d.drafts[row].fault, d.drafts[row].meant = fault, id
		r.locked++
	})
	return req
}

// lockEntries does the same for what a call saves, and gives the entries that lack their locks. Where nobody has a lock it
// gives nil at once: a call takes no time.
func (o *Org) lockEntries(list []entry) (*lockRequest, map[int]saved) {
	var locks []rowLock
	o.mu.Lock()
	idle := len(o.locks.held) == 0
	for i := range list {
		if idle {
			break
		}
		s := saver{org: o, op: list[i].op, firstNew: math.MaxUint32}
		if row, fault := s.readEntry(&list[i]); fault == nil {
			locks = s.appendLocks(locks, i, row)
		}
	}
	o.mu.Unlock()
	if idle {
		return nil, nil
	}
	req := o.acquire(locks, math.MaxUint32, 0)
	denied := map[int]saved{}
	if req != nil {
		req.refused(locks, func(row int, id string, fault *rowFault) { denied[row] = saved{id: id, fault: fault} })
	}
	return req, denied
}

// acquire waits for locks. It gives nil when the org is closing.
func (o *Org) acquire(locks []rowLock, job uint32, batch int) *lockRequest {
	now := time.Now()
	r := &lockRequest{since: now, until: now.Add(o.cfg.LockWait), job: job, batch: batch, done: make(chan struct{})}
	seen := map[place]bool{}
	for _, l := range locks {
		if !seen[l.key] {
			seen[l.key] = true
			r.keys = append(r.keys, l.key)
		}
	}
	o.mu.Lock()
	o.locks.enter(r)
	o.mu.Unlock()
	for _, wait := range []time.Duration{1, o.cfg.LockWait} { // to the next instant, and to the one after the last
		if !o.sleepUnless(wait, r.done) {
			return nil
		}
		o.mu.Lock()
		o.locks.serve(time.Now())
		o.mu.Unlock()
	}
	<-r.done
	return r
}

// sleepUnless is sleep that ends early when done is closed.
func (o *Org) sleepUnless(d time.Duration, done <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-done:
	case <-o.ctx.Done():
		return false
	}
	return true
}

// refused calls visit for each row whose locks were denied, with the id of its own record where there is one.
func (r *lockRequest) refused(locks []rowLock, visit func(row int, id string, fault *rowFault)) {
	for len(locks) > 0 && len(r.denied) > 0 {
		row, own, refused := locks[0].row, "", false
		var ids []string
		for ; len(locks) > 0 && locks[0].row == row; locks = locks[1:] {
			l := locks[0]
			id := l.key.table.id(l.key.ord)
			if l.own {
				own = id.String()
			}
			if r.denied[l.key] {
				refused = true
				if !l.own && !slices.Contains(ids, id.short()) {
					ids = append(ids, id.short())
				}
			}
		}
		if refused {
			visit(row, own, errLocked(ids))
		}
	}
}

// appendLocks lists what a row must have: the record that it changes, and the parents that it has or gets, where
// Config.LockParents says so. Callers hold the lock of the org.
func (s *saver) appendLocks(list []rowLock, i int, row *draft) []rowLock {
	t, fields := s.plan.table, s.org.lockFields[s.plan.table.obj.index]
	if ord, ok := s.existing(row); ok {
		list = append(list, rowLock{i, place{t, ord}, true})
		for _, f := range fields {
			if id, ok := parseID(t.record(ord).raw(f.index)); ok {
				list = s.org.appendLock(list, i, id)
			}
		}
	}
	for at, v := range row.values {
		col := &s.plan.columns[at]
		if v.mark != set || !slices.Contains(fields, col.field) {
			continue
		}
		if col.by != nil && col.by.kind != kindID {
			if ord, n := s.parent(col, v.data); n == 1 {
				list = append(list, rowLock{i, place{col.parent, ord}, false})
			}
		} else if id, ok := parseID(v.data); ok {
			list = s.org.appendLock(list, i, id)
		}
	}
	return list
}

func (o *Org) appendLock(list []rowLock, row int, id id15) []rowLock {
	if t, ord, ok := o.locate(id); ok {
		list = append(list, rowLock{row, place{t, ord}, false})
	}
	return list
}

// existing finds the record that a row is about to change.
func (s *saver) existing(row *draft) (uint32, bool) {
	switch {
	case s.op == "insert" || s.op == "upsert" && s.plan.keyField.kind == kindID && len(row.id) == 0:
		return 0, false
	case s.op == "upsert" && s.plan.keyField.kind != kindID:
		if row.key == nil {
			return 0, false
		}
		ord, n := s.plan.table.find(s.plan.table.index(s.plan.keyField), row.key)
		return ord, n == 1
	}
	ord, fault := s.target(row.id)
	return ord, fault == nil
}

// putBack puts what is left of a batch back into the queue, which a batch may do Config.LockRetries times. Callers hold
// the lock.
func (o *Org) putBack(r *batchRun) error {
	j := r.job
	if j.putBacks[r.batch] >= o.cfg.LockRetries { // the text is a guess
		return &jobError{fmt.Sprintf("TooManyLockFailure : Too many lock failure %d Trying again later.", r.locked)}
	}
	j.putBack(r.batch)
	if err := o.log(eventPutBack, event{Job: j.number, Time: o.now(), Batch: r.batch}); err != nil {
		return err
	}
	return errPutBack
}

func (j *job) putBack(batch int) {
	if j.putBacks == nil {
		j.putBacks = map[int]int{}
	}
	j.putBacks[batch]++
	j.retries++
}

// findLockFields lists, for each object, the lookups whose records a save locks.
func (o *Org) findLockFields() (err error) {
	o.lockFields = make([][]*field, len(o.schema.objects))
	for _, pattern := range o.cfg.LockParents {
		objName, fieldName, ok := strings.Cut(pattern, ".")
		found := o.addLockFields(func(obj *object, f *field) bool {
			return (objName == "*" || strings.EqualFold(objName, obj.Name)) && (fieldName == "*" || strings.EqualFold(fieldName, f.Name))
		})
		if !ok || !found {
			err = fmt.Errorf("localorg: no lookup is like %q, by which parents are to be locked", pattern)
		}
	}
	if o.cfg.LockParents == nil {
		o.addLockFields(func(_ *object, f *field) bool {
			return f.CascadeDelete || slices.Contains(f.ReferenceTo, "Account") || slices.Contains(f.ReferenceTo, "Campaign")
		})
	}
	return err
}

func (o *Org) addLockFields(fits func(*object, *field) bool) (found bool) {
	for _, obj := range o.schema.objects {
		for _, f := range obj.shape().Fields {
			if f.kind != kindReference || !fits(obj, f) {
				continue
			}
			found = true
			if list := &o.lockFields[obj.index]; !slices.Contains(*list, f) {
				*list = append(*list, f)
			}
		}
	}
	return found
}
