package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"
	"time"

	"github.com/zeebo/xxh3"

	"migrate/pkg/bulk2"
	"migrate/pkg/idmap"
	"migrate/pkg/pipeline"
	"migrate/pkg/salesforce"
)

// parents finds the records that lookups are set to, for as long as a run lasts: those that rows of jobs became in the id map,
// others in the org. It is safe for concurrent use.
type parents struct {
	ctx   context.Context
	ids   ids // the zero value where no job has ids
	org   *salesforce.Client
	dir   string        // run folder, where the answers of the org lie
	every time.Duration // least time between two looks at a query job; 0 = the default
	tell  func(line string)

	mu   sync.Mutex
	open map[pipeline.Lookup]*idmap.Lookup
}

func (p *parents) Has(job string) (bool, error) { return p.ids.view.Has(p.ctx, job) }

func (p *parents) Find(job string, sources []string) (map[string]string, error) {
	return p.ids.view.Find(p.ctx, job, sources)
}

// Check asks the org for one record.
func (p *parents) Check(l pipeline.Lookup) error {
	for _, err := range p.org.Query(p.ctx, l.SOQL()+" LIMIT 1") {
		return err
	}
	return nil
}

// InOrg asks the org at the first question for all records of the lookup, and from then on the file with its answer. A run that is
// resumed has the file already: its rows come out as they did before.
func (p *parents) InOrg(l pipeline.Lookup, keys []string) (map[string][]string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	file := p.open[l]
	if file == nil {
		path := filepath.Join(p.dir, lookupFile(l))
		var err error
		if file, err = idmap.OpenLookup(p.ctx, path); errors.Is(err, fs.ErrNotExist) {
			var n int64
			if n, err = l.Write(p.ctx, bulk2.New(p.org), path, p.every); err == nil {
				p.tell(fmt.Sprintf("lookup: the org has %s of %s with %s", count(n, "record"), l.Object, l.Field))
				file, err = idmap.OpenLookup(p.ctx, path)
			}
		}
		if err != nil {
			return nil, err
		}
		if p.open == nil {
			p.open = map[pipeline.Lookup]*idmap.Lookup{}
		}
		p.open[l] = file
	}
	return file.Find(p.ctx, keys)
}

// lookupFile names the file in a run folder that holds a lookup.
func lookupFile(l pipeline.Lookup) string {
	return fmt.Sprintf("lookup-%s-%s-%08x.db", l.Object, l.Field, uint32(xxh3.HashString(fmt.Sprintf("%q", []string{l.SOQL(), fmt.Sprint(l.Fold)}))))
}

func (p *parents) Close() error {
	err := p.ids.Close()
	for _, file := range p.open {
		err = errors.Join(err, file.Close())
	}
	return err
}
