package checkpoint

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// The sizes of the headers in SQLite's write-ahead log, in bytes (SQLite, "The WAL File Format").
const (
	logHeader   = 32
	frameHeader = 24
)

// checkFrames refuses a log that is damaged before its end. SQLite takes the first frame whose checksum is wrong for the end of the log, as
// that is what a process leaves that died while it wrote, and what stands behind it would be lost without a word. But each step is on disk
// before the next one begins. So where the ends of two steps stand behind such a frame, at least the one that it belongs to was recorded. What
// cannot be told from a death is damage to the last two steps, and a log that was cut short.
func checkFrames(path string) error {
	log, err := os.ReadFile(path) // of maxLog bytes, as long as no other program keeps it from being emptied
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(log) <= logHeader {
		return nil
	}
	if err != nil {
		return err
	}
	var order binary.ByteOrder = binary.LittleEndian
	if log[3]&1 == 1 {
		order = binary.BigEndian
	}
	var sum [2]uint32
	add := func(words []byte) {
		for ; len(words) >= 8; words = words[8:] {
			sum[0] += order.Uint32(words) + sum[1]
			sum[1] += order.Uint32(words[4:]) + sum[0]
		}
	}
	fits := func(stored []byte) bool {
		return binary.BigEndian.Uint32(stored) == sum[0] && binary.BigEndian.Uint32(stored[4:]) == sum[1]
	}
	if add(log[:24]); !fits(log[24:]) {
		return errors.New("the head of its log is damaged")
	}
	page, salt := int(binary.BigEndian.Uint32(log[8:])), log[16:24] // the salt tells these frames from those of earlier logs
	rest := log[logHeader:]
	for page > 0 && len(rest) >= frameHeader+page {
		add(rest[:8])
		add(rest[frameHeader : frameHeader+page])
		if !bytes.Equal(rest[8:16], salt) || !fits(rest[16:]) {
			break
		}
		rest = rest[frameHeader+page:]
	}
	ends := 0
	for at := 8; at < len(rest); {
		i := bytes.Index(rest[at:], salt)
		if i < 0 {
			break
		}
		at += i
		if binary.BigEndian.Uint32(rest[at-4:]) != 0 { // the last frame of a step tells how many pages the file then has
			ends++
		}
		at += len(salt)
	}
	if ends > 1 {
		return fmt.Errorf("its log is damaged, with %d steps behind the damage", ends)
	}
	return nil
}
