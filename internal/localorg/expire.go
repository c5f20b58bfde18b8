package localorg

import (
	"os"
	"time"
)

// purgeEvery is how often expired jobs are looked for; until then they take room but no call finds them.
const purgeEvery = time.Hour

// purge removes what is left of jobs that are gone, at most once in purgeEvery of the org's clock. Callers hold the lock.
func (o *Org) purge() error {
	now := o.now()
	if since := now.Sub(o.purged); since >= 0 && since < purgeEvery {
		return nil
	}
	o.purged = now
	for n, j := range o.jobs {
		if !o.gone(j) || j.uploading {
			continue
		}
		if err := o.log(eventDeleted, event{Job: n, Time: now}); err != nil {
			return err
		}
		delete(o.jobs, n)
		o.removeUpload(j)
	}
	for n, j := range o.queryJobs {
		if !o.expired(j.state, j.stamp) {
			continue
		}
		if err := o.log(eventQueryDeleted, event{Job: n, Time: now}); err != nil {
			return err
		}
		delete(o.queryJobs, n)
		os.Remove(o.resultPath(j))
	}
	return nil
}

// removeUpload removes the data of a job. Callers hold the lock.
func (o *Org) removeUpload(j *job) {
	if j.uploaded {
		os.Remove(o.uploadPath(j))
	}
}
