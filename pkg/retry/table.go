package retry

import (
	"encoding/binary"
	"io"
	"os"

	"github.com/zeebo/xxh3"
)

// table knows rows by their file and line. It lies in a file, since a run may have any number of bad rows: an open hash table of slots
// of 32 bytes, at most half full. What is in memory does not depend on its size. It belongs to one goroutine.
type table struct {
	dir         string
	f           *os.File
	slots, used int64
	buf         [slotSize]byte
}

// slot is what is known of one row.
type slot struct {
	at     int64 // its place in the table
	key    xxh3.Uint128
	value  int64  // where the corrected row stands in the spool, plus 1; 0 = there is none
	size   uint32 // of that, in bytes
	taken  uint16 // which earlier retry sent it, from 1; 0 = none did
	report report
}

const slotSize = 32

// firstSlots is the size that a table begins with.
const firstSlots = 1 << 12

// keyOf is by what the table knows a row. An all-zero key would be a free slot.
func keyOf(file, line string) xxh3.Uint128 {
	k := xxh3.HashString128(file + "\x00" + line)
	if k == (xxh3.Uint128{}) {
		k.Lo = 1
	}
	return k
}

func newTable(dir string) (*table, error) {
	t := &table{dir: dir}
	return t, t.grow(firstSlots)
}

// find gives the slot of a key, or the free one where it would stand.
func (t *table) find(key xxh3.Uint128) (slot, bool, error) {
	for at := int64(key.Lo % uint64(t.slots)); ; at = (at + 1) % t.slots {
		if _, err := t.f.ReadAt(t.buf[:], at*slotSize); err != nil {
			return slot{}, false, err
		}
		s := decodeSlot(&t.buf)
		s.at = at
		switch s.key {
		case key:
			return s, true, nil
		case xxh3.Uint128{}:
			s.key = key
			return s, false, nil
		}
	}
}

// add takes a row that find has not found. Slots found before are not to be used any more.
func (t *table) add(s slot) error {
	if err := t.put(s); err != nil {
		return err
	}
	if t.used++; t.used*2 > t.slots {
		return t.grow(t.slots * 4)
	}
	return nil
}

// put writes a slot where it was found.
func (t *table) put(s slot) error {
	b := &t.buf
	binary.LittleEndian.PutUint64(b[0:], s.key.Lo)
	binary.LittleEndian.PutUint64(b[8:], s.key.Hi)
	binary.LittleEndian.PutUint64(b[16:], uint64(s.value))
	binary.LittleEndian.PutUint32(b[24:], s.size)
	binary.LittleEndian.PutUint16(b[28:], s.taken)
	b[30], b[31] = byte(s.report), 0
	_, err := t.f.WriteAt(b[:], s.at*slotSize)
	return err
}

func decodeSlot(b *[slotSize]byte) slot {
	return slot{
		key:    xxh3.Uint128{Lo: binary.LittleEndian.Uint64(b[0:]), Hi: binary.LittleEndian.Uint64(b[8:])},
		value:  int64(binary.LittleEndian.Uint64(b[16:])),
		size:   binary.LittleEndian.Uint32(b[24:]),
		taken:  binary.LittleEndian.Uint16(b[28:]),
		report: report(b[30]),
	}
}

// grow moves the rows into a larger file.
func (t *table) grow(slots int64) error {
	f, err := os.CreateTemp(t.dir, ".rows-*") // mode 0600
	if err != nil {
		return err
	}
	old := *t
	t.f, t.slots = f, slots
	if err := f.Truncate(slots * slotSize); err != nil {
		return err
	}
	if old.f == nil {
		return nil
	}
	defer old.close()
	all := io.NewSectionReader(old.f, 0, old.slots*slotSize)
	block := make([]byte, 1<<16)
	for {
		n, err := io.ReadFull(all, block)
		for b := block[:n]; len(b) > 0; b = b[slotSize:] {
			s := decodeSlot((*[slotSize]byte)(b))
			if s.key == (xxh3.Uint128{}) {
				continue
			}
			free, _, err := t.find(s.key)
			if err != nil {
				return err
			}
			s.at = free.at
			if err := t.put(s); err != nil {
				return err
			}
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// close frees the file. It may be called twice.
func (t *table) close() {
	if t != nil && t.f != nil {
		t.f.Close()
		os.Remove(t.f.Name())
	}
}
