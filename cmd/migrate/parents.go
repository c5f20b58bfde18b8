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

	mu      sync.Mutex
	answers map[pipeline.Lookup]*answer
}

// answer is what the org has said to a lookup.
type answer struct {
	mu   sync.Mutex // held while the org is asked: other lookups need not wait for it
	file *idmap.Lookup
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
	a := p.answers[l]
	if a == nil {
		if p.answers == nil {
			p.answers = map[pipeline.Lookup]*answer{}
		}
		a = &answer{}
		p.answers[l] = a
	}
	p.mu.Unlock()
	if err := p.answer(l, a); err != nil {
		return nil, err
	}
	return a.file.Find(p.ctx, keys)
}

// answer opens the file with the answer to a lookup, once.
func (p *parents) answer(l pipeline.Lookup, a *answer) (err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.file != nil {
		return nil
	}
	path := filepath.Join(p.dir, lookupFile(l))
	if a.file, err = idmap.OpenLookup(p.ctx, path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	n, err := l.Write(p.ctx, bulk2.New(p.org), path, p.every)
	if err != nil {
		return err
	}
	p.tell(fmt.Sprintf("lookup: the org has %s of %s with %s", count(n, "record"), l.Object, l.Field))
	a.file, err = idmap.OpenLookup(p.ctx, path)
	return err
}

// lookupFile names the file in a run folder that holds the answer to a lookup.
func lookupFile(l pipeline.Lookup) string {
	return fmt.Sprintf("%s%s-%s-%016x.db", lookupPrefix, l.Object, l.Field, xxh3.HashString(fmt.Sprintf("%q %t %d", l.SOQL(), l.Fold, l.Turn)))
}

// lookupPrefix begins the names of these files, and of no others.
const lookupPrefix = "lookup-"

func (p *parents) Close() error { return errors.Join(p.ids.Close(), p.closeAnswers()) }

// closeAnswers closes the files of lookups; InOrg is not called any more.
func (p *parents) closeAnswers() (err error) {
	for _, a := range p.answers {
		if a.file != nil {
			err = errors.Join(err, a.file.Close())
		}
	}
	p.answers = nil
	return err
}
