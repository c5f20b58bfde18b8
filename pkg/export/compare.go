package export

import (
	"context"
	"errors"
	"fmt"
)

// openIDs opens the log that the ids of this run go to: the one that is there, or another where all rows are exported. A run that has moved the
// mark already has written it.
func (c *Copy) openIDs() (err error) {
	i := c.Increment
	switch {
	case !i.IDs || c.moved:
	case i.Whole():
		c.idsFile = idsPrefix + i.Next.Run
		c.ids, err = makeIDLog(i.file(c.idsFile))
	default:
		c.idsFile = i.Was.IDs
		if c.ids, err = openIDLog(i.file(c.idsFile), i.known()); err == nil {
			c.idsFrom = c.ids.n
		}
	}
	return err
}

// known is how much of the log of the ids this run goes by. It is the same whenever the run goes on, so that it publishes the same.
func (i *Increment) known() int64 { return max(i.Known, i.Was.IDBytes) }

// compare finds what has vanished from the same target. Where the org was asked for its ids, the log is then written anew.
func (c *Copy) compare(ctx context.Context) (err error) {
	i := c.Increment
	if i == nil || !i.IDs || i.Was == nil || i.Was.IDs == "" || !i.Compare && !i.Whole() || i.Was.Target != i.Next.Target {
		return nil
	}
	all, err := newComparison(c.Scratch)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, all.close()) }()
	if err := all.log(i.file(i.Was.IDs), 0, i.known(), wasHere, notHere); err != nil {
		return err
	}
	if !i.Whole() { // what runs have brought that began after this one and came to nothing
		if err := all.log(i.file(i.Was.IDs), i.known(), c.idsFrom, maybeHere, void); err != nil {
			return err
		}
	}
	if i.Compare {
		if err := all.org(c.OrgIDs); err != nil {
			return err
		}
	}
	if err := all.log(i.file(c.idsFile), c.idsFrom, toEnd, inCopy, outCopy); err != nil {
		return err
	}
	there := func(byte, []byte) error { return nil }
	var anew *idLog
	if i.Compare {
		if anew, err = makeIDLog(i.file(idsPrefix + i.Next.Run)); err != nil {
			return err
		}
		there = anew.add
	}
	missing, err := all.end(func(id []byte) error {
		c.vanished++
		return c.deletes.add(ctx, id, nil, Vanished)
	}, there)
	if anew != nil {
		c.ids.close()
		c.ids, c.idsFile = anew, idsPrefix+i.Next.Run
	}
	if missing > 0 && err == nil && c.Tell != nil {
		c.Tell(fmt.Sprintf("records that are in the org and not in the copy: %d; they have come to fit the condition without a change of their own, or were committed later than the overlap, "+
			"and a run that brings all rows (refresh) brings them; or they have just changed again, and come with the next", missing))
	}
	return err
}
