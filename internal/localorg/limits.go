package localorg

import "time"

const (
	megabyte   = 1_000_000
	recordSize = 2_048 // bytes of storage that a record counts for
)

// stored is how many bytes of storage the records take. Those of objects that nobody can delete from take none (guess).
// Callers hold the lock.
func (o *Org) stored() (bytes int64) {
	for _, t := range o.tables {
		if t.obj.Deletable {
			bytes += int64(t.live) * recordSize
		}
	}
	return bytes
}

// longCall is the time from which on a call counts as a long one.
const longCall = 20 * time.Second

// longCalls is how many long calls there are. Callers hold the lock.
func (o *Org) longCalls(now time.Time) (n int) {
	for _, since := range o.inFlight {
		if now.Sub(since) > longCall {
			n++
		}
	}
	return n
}

type limit struct {
	Max       int64 `json:"Max"`
	Remaining int64 `json:"Remaining"`
}

func (o *Org) limits(c *call) error {
	now := o.now()
	o.mu.RLock()
	defer o.mu.RUnlock()
	left := func(most int64, w *window) limit { return limit{most, max(0, most-w.sum(now))} }
	full := func(most int64) limit { return limit{most, most} }
	return c.reply(200, map[string]limit{
		"DailyApiRequests":              left(o.cfg.DailyAPI, &o.calls),
		"DailyBulkApiBatches":           left(o.cfg.DailyBatches, &o.batches),
		"DailyBulkV2QueryJobs":          left(o.cfg.DailyQueryJobs, &o.queryJobCount),
		"DailyBulkV2QueryFileStorageMB": full(976_562),
		"DailyAsyncApexExecutions":      full(250_000),
		"DataStorageMB":                 {o.cfg.DataStorage / megabyte, max(0, o.cfg.DataStorage-o.stored()) / megabyte},
		"FileStorageMB":                 full(1_073),
	})
}
