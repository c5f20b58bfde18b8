package localorg

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
		"DataStorageMB":                 full(1_073),
		"FileStorageMB":                 full(1_073),
	})
}
