package retry

import (
	"encoding/binary"
	"os"
	"strconv"

	"github.com/zeebo/xxh3"
)

// table knows rows by their file and line. It lies in a file, since a run may have any number of bad rows: an open hash table, at most half
// full, of which some pages are in memory. Lines that follow one another lie side by side, so that files which are read in nearly the same
// order, as a report and a copy of it are, find them there. It belongs to one goroutine.
type table struct {
	dir         string
	f           *os.File
	slots, used int64   // slots is a power of two
	pages       []*page // by the number of the page; those with the same remainder take turns
}

// page is a part of the file.
type page struct {
	number int64 // -1 = none yet
	dirty  bool  // the file does not have it yet
	data   [pageSlots * slotSize]byte
}

// slot is what is known of one row.
type slot struct {
	at     int64 // its place in the table
	key    key
	value  int64  // where the corrected row stands in the spool, plus 1; 0 = there is none
	size   uint32 // of that, in bytes
	taken  uint16 // which earlier retry sent it, from 1; 0 = none did
	report report
}

// key stands for a file and line. Its low half is the place in the table: of a block of lines by their hash, and then of the line in it.
type key struct{ low, high uint64 }

const (
	slotSize   = 32
	pageSlots  = 128  // a page is 4 KiB
	pagesKept  = 1024 // in memory: 4 MiB
	blockLines = 64
	firstSlots = 1 << 12
)

// keyOf is by what the table knows a row; 0 of both halves would be a free slot.
func keyOf(file, line string) key {
	n, err := strconv.ParseUint(line, 10, 63)
	if err == nil {
		line = strconv.FormatUint(n, 10)
	}
	block := xxh3.HashString(file + "\x00" + strconv.FormatUint(n/blockLines, 10))
	k := key{low: block&^(blockLines-1) | n%blockLines, high: xxh3.HashString(file + "\x00" + line)}
	if k == (key{}) {
		k.high = 1
	}
	return k
}

func newTable(dir string) (*table, error) {
	t := &table{dir: dir}
	return t, t.create(firstSlots)
}

func (t *table) create(slots int64) error {
	f, err := os.CreateTemp(t.dir, ".rows-*") // mode 0600
	if err != nil {
		return err
	}
	t.f, t.slots, t.used, t.pages = f, slots, 0, make([]*page, min(pagesKept, slots/pageSlots))
	return f.Truncate(slots * slotSize)
}

// page brings a page of the file into memory.
func (t *table) page(number int64) (*page, error) {
	at := number % int64(len(t.pages))
	p := t.pages[at]
	if p == nil {
		p = &page{number: -1}
		t.pages[at] = p
	}
	if p.number == number {
		return p, nil
	}
	if p.dirty {
		if _, err := t.f.WriteAt(p.data[:], p.number*int64(len(p.data))); err != nil {
			return nil, err
		}
	}
	p.number, p.dirty = -1, false
	if _, err := t.f.ReadAt(p.data[:], number*int64(len(p.data))); err != nil {
		return nil, err
	}
	p.number = number
	return p, nil
}

// find gives the slot of a key, or the free one where it would stand.
func (t *table) find(k key) (slot, bool, error) {
	for at := int64(k.low & uint64(t.slots-1)); ; at = (at + 1) & (t.slots - 1) {
		p, err := t.page(at / pageSlots)
		if err != nil {
			return slot{}, false, err
		}
		b := p.data[at%pageSlots*slotSize:][:slotSize]
		switch (key{binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])}) {
		case k:
			return slot{at: at, key: k, value: int64(binary.LittleEndian.Uint64(b[16:])), size: binary.LittleEndian.Uint32(b[24:]),
				taken: binary.LittleEndian.Uint16(b[28:]), report: report(b[30])}, true, nil
		case key{}:
			return slot{at: at, key: k}, false, nil
		}
	}
}

// add takes a row that find has not found. Slots found before are not to be used any more.
func (t *table) add(s slot) error {
	if err := t.put(s); err != nil {
		return err
	}
	if t.used++; t.used*2 > t.slots {
		return t.grow()
	}
	return nil
}

// put writes a slot where it was found.
func (t *table) put(s slot) error {
	p, err := t.page(s.at / pageSlots)
	if err != nil {
		return err
	}
	b := p.data[s.at%pageSlots*slotSize:][:slotSize]
	binary.LittleEndian.PutUint64(b, s.key.low)
	binary.LittleEndian.PutUint64(b[8:], s.key.high)
	binary.LittleEndian.PutUint64(b[16:], uint64(s.value))
	binary.LittleEndian.PutUint32(b[24:], s.size)
	binary.LittleEndian.PutUint16(b[28:], s.taken)
	b[30] = byte(s.report)
	p.dirty = true
	return nil
}

// grow moves the rows into a larger file.
func (t *table) grow() error {
	old := *t
	defer old.close()
	if err := t.create(old.slots * 4); err != nil {
		return err
	}
	for number := range old.slots / pageSlots {
		p, err := old.page(number)
		if err != nil {
			return err
		}
		for b := p.data[:]; len(b) > 0; b = b[slotSize:] {
			k := key{binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])}
			if k == (key{}) {
				continue
			}
			s, _, err := t.find(k)
			if err != nil {
				return err
			}
			s.value, s.size = int64(binary.LittleEndian.Uint64(b[16:])), binary.LittleEndian.Uint32(b[24:])
			s.taken, s.report = binary.LittleEndian.Uint16(b[28:]), report(b[30])
			if err := t.put(s); err != nil {
				return err
			}
			t.used++
		}
	}
	return nil
}

// close frees the file. It may be called twice.
func (t *table) close() {
	if t != nil && t.f != nil {
		t.f.Close()
		os.Remove(t.f.Name())
	}
}
