package pipeline_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"migrate/pkg/bulk2"
)

// modelJob is an ingest job.
type modelJob struct {
	id      string
	state   bulk2.State
	message string
	values  []int // of its rows
	whole   bool  // its data is there
	closed  bool  // it was ever closed
	gone    bool  // the org does not know it any more
	puts    int
	late    string    // call whose effect is still to come
	lateAt  time.Time // when it comes
	end     string    // how it ends
	startAt time.Time
	endAt   time.Time
	polled  time.Time // by the present process, while it ran
	tries   []modelTry
	lied    bool // its counts were wrong once; were its results too, nobody could tell them from the truth
	silent  bool // rows that it has not tried are in no result set
}

// modelTry is a row that was tried.
type modelTry struct {
	value int
	code  string // "" = saved
	id    string
}

// results is a result set, header first, in no order.
func (o *modelOrg) results(j *modelJob, kind bulk2.Kind) []string {
	var rows []string
	rest := slices.Clone(j.values)
	for _, t := range j.tries {
		i := slices.Index(rest, t.value)
		rest = slices.Delete(rest, i, i+1)
		switch {
		case kind == bulk2.Successful && t.code == "":
			rows = append(rows, fmt.Sprintf("%q,%q,%q\n", t.id, "true", o.script.text(t.value)))
		case kind == bulk2.Failed && t.code != "":
			rows = append(rows, fmt.Sprintf("%q,%q,%q\n", "", t.code+":no luck:--", o.script.text(t.value)))
		}
	}
	if kind == bulk2.Unprocessed && !j.silent {
		for _, v := range rest {
			rows = append(rows, fmt.Sprintf("%q\n", o.script.text(v)))
		}
	}
	rand.New(rand.NewPCG(uint64(o.script.Shuffle), uint64(len(j.id)))).Shuffle(len(rows), func(a, b int) { rows[a], rows[b] = rows[b], rows[a] })
	header := map[bulk2.Kind]string{bulk2.Successful: `"sf__Id","sf__Created",`, bulk2.Failed: `"sf__Id","sf__Error",`}[kind]
	return append([]string{header + fmt.Sprintf("%q\n", o.script.column())}, rows...)
}

func (j *modelJob) info() bulk2.Job {
	job := bulk2.Job{ID: j.id, Object: "Account", State: j.state, Message: j.message, Processed: int64(len(j.tries))}
	for _, t := range j.tries {
		if t.code != "" {
			job.Failed++
		}
	}
	if j.state == bulk2.StateInProgress {
		job.Processed = int64(len(j.values) / 2)
	}
	return job
}

// advance lets everything happen that was to happen until a moment.
func (o *modelOrg) advance(now time.Time) {
	for _, j := range o.jobs {
		if j.late != "" && !j.lateAt.After(now) {
			switch {
			case j.gone || j.state != bulk2.StateOpen:
			case j.late == "upload":
				j.whole = true
			case j.whole:
				o.close(j, j.lateAt)
			}
			j.lateAt = now.Add(1000 * time.Hour) // over, but it explains what the client does
		}
		if j.state == bulk2.StateUploadComplete && !j.startAt.After(now) {
			j.state = bulk2.StateInProgress
		}
		if j.state == bulk2.StateInProgress && !j.endAt.After(now) {
			o.finish(j, j.end)
		}
	}
}

func (o *modelOrg) close(j *modelJob, at time.Time) {
	j.state, j.closed = bulk2.StateUploadComplete, true
	j.end = o.happens("process", j, "")
	j.startAt = at.Add(o.script.Work / 4)
	j.endAt = at.Add(o.script.Work)
	if j.end == "slow" {
		j.endAt = at.Add(20 * time.Minute)
	}
}

// finish tries the rows of a job, or some of them, and ends it.
func (o *modelOrg) finish(j *modelJob, end string) {
	part := len(j.values)
	j.state = bulk2.StateFailed
	switch end {
	case "failed":
		part /= 2
		j.message = "Server trouble"
	case "locks":
		part /= 2
		j.message = "TooManyLockFailure : Too many lock failure 200 Trying again later."
	case "quota":
		part /= 2
		j.message = "ExceededQuota : ApiBatchItems Limit exceeded."
	case "quota, silent":
		part /= 2
		j.message, j.silent = "ExceededQuota : ApiBatchItems Limit exceeded.", true
	case "refused":
		part = 0
		j.message, j.silent = "InvalidBatch : Field name not found : Nam", true
	case "nothing":
		part = 0
		j.message = "Server trouble"
	case "nothing, silent":
		part = 0
		j.message, j.silent = "Server trouble", true
	case "aborted":
		part /= 2
		j.state = bulk2.StateAborted
	case "vanish before":
		part = 0
		j.gone = true
	case "vanish halfway":
		part /= 2
		j.gone = true
	case "vanish behind":
		j.state, j.gone = bulk2.StateJobComplete, true
	default:
		j.state = bulk2.StateJobComplete
	}
	order := rand.New(rand.NewPCG(uint64(o.script.Shuffle), uint64(len(o.jobs)))).Perm(len(j.values))
	for _, i := range order[:part] {
		t := modelTry{value: j.values[i]}
		if n := o.tried[t.value]; n < len(o.script.fates[t.value]) {
			t.code = o.script.fates[t.value][n]
		}
		o.tried[t.value]++
		if t.code == "" {
			o.saved[t.value]++
			t.id = fmt.Sprintf("001-%s-%d", j.id, i)
			if o.saved[t.value] > o.sent[t.value] {
				o.fault("job %s: value %d is saved %d times, the source has it %d times", j.id, t.value, o.saved[t.value], o.sent[t.value])
			}
		}
		j.tries = append(j.tries, t)
	}
}
