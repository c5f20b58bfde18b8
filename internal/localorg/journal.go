package localorg

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/zeebo/xxh3"
)

// The journal is one file of frames:
//
//	length(4) checksum(8) kind(1) payload
//
// Length counts kind and payload; the checksum is over both. A frame is written with one call. The first frame names
// the form of the file and the org's seed and schema. Events are JSON; a chunk is binary.
type journal struct {
	file *os.File
	buf  []byte
	size int64
}

const (
	frameHead    = 12
	journalForm  = 2
	maxFrameSize = 1 << 30
)

// The kinds of frames.
const (
	eventHeader byte = iota + 1
	eventCreated
	eventUploaded
	eventClosed
	eventStarted
	eventChunk
	eventEnded
	eventDeleted

	eventQueryCreated byte = 20
	eventQueryEnded   byte = 21
	eventQueryDeleted byte = 22
	eventWrite        byte = 30 // changes over REST
	eventField        byte = 35 // an object got, changed or lost a field
	eventPutBack      byte = 40 // the rest of a batch went back into the queue
)

// journalHeader is the first frame.
type journalHeader struct {
	Form   int    `json:"form"`
	Seed   uint64 `json:"seed"`
	Schema uint64 `json:"schema"`
}

// event is what happened to a job; each kind uses some of the fields.
type event struct {
	Job      uint32        `json:"job"`
	Time     time.Time     `json:"time"`
	Spec     *jobSpec      `json:"spec,omitempty"`
	Query    *querySpec    `json:"query,omitempty"`
	Version  string        `json:"version,omitempty"`
	User     string        `json:"user,omitempty"`
	Size     int64         `json:"size,omitempty"`
	Rows     int           `json:"rows,omitempty"`
	Sunk     *sunk         `json:"sunk,omitempty"`
	Batch    int           `json:"batch,omitempty"`
	FirstNew uint32        `json:"firstNew,omitempty"`
	State    string        `json:"state,omitempty"`
	Message  string        `json:"message,omitempty"`
	Retries  int           `json:"retries,omitempty"`
	Active   time.Duration `json:"active,omitempty"`
}

func (j *journal) write(kind byte, payload []byte) error {
	if len(payload) >= maxFrameSize {
		return fmt.Errorf("frame of %d bytes is too large", len(payload))
	}
	b := append(j.buf[:0], make([]byte, frameHead)...)
	b = append(b, kind)
	b = append(b, payload...)
	binary.LittleEndian.PutUint32(b, uint32(len(b)-frameHead))
	binary.LittleEndian.PutUint64(b[4:], xxh3.Hash(b[frameHead:]))
	j.buf = b
	n, err := j.file.Write(b)
	j.size += int64(n)
	return err
}

func (j *journal) close() error { return j.file.Close() }

// readFrames calls visit for each frame and gives the length of the good part of the file. A torn last frame ends it;
// damage before the end is an error.
func readFrames(f *os.File, visit func(kind byte, payload []byte) error) (good int64, err error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	r := newFrameReader(f)
	for {
		rest := info.Size() - good
		if rest < frameHead {
			return good, nil
		}
		head, err := r.next(frameHead)
		if err != nil {
			return good, err
		}
		n, sum := int64(binary.LittleEndian.Uint32(head)), binary.LittleEndian.Uint64(head[4:])
		if rest-frameHead < n {
			return good, nil
		}
		if n == 0 || n > maxFrameSize {
			return good, fmt.Errorf("journal is damaged at byte %d; remove the folder to start with an empty org", good)
		}
		body, err := r.next(int(n))
		if err != nil {
			return good, err
		}
		if xxh3.Hash(body) != sum {
			if rest-frameHead == n {
				return good, nil
			}
			return good, fmt.Errorf("journal is damaged at byte %d; remove the folder to start with an empty org", good)
		}
		if err := visit(body[0], body[1:]); err != nil {
			return good, fmt.Errorf("journal at byte %d: %w", good, err)
		}
		good += frameHead + n
	}
}

type frameReader struct {
	r   io.Reader
	buf []byte
	pos int
	end int
}

func newFrameReader(r io.Reader) *frameReader { return &frameReader{r: r, buf: make([]byte, 1<<20)} }

// next gives the next n bytes, valid until the call after.
func (f *frameReader) next(n int) ([]byte, error) {
	if f.end-f.pos < n {
		if len(f.buf) < n {
			grown := make([]byte, 2*n)
			copy(grown, f.buf[f.pos:f.end])
			f.buf = grown
		} else {
			copy(f.buf, f.buf[f.pos:f.end])
		}
		f.pos, f.end = 0, f.end-f.pos
		got, err := io.ReadAtLeast(f.r, f.buf[f.end:], n-f.end)
		f.end += got
		if err != nil {
			return nil, err
		}
	}
	f.pos += n
	return f.buf[f.pos-n : f.pos], nil
}

// log keeps an event of a job. Callers hold the lock.
func (o *Org) log(kind byte, e event) error {
	if o.journal == nil {
		return nil
	}
	payload, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return o.logFrame(kind, payload)
}

// logFrame keeps a frame. When that fails the org is broken: it must not go on with what it cannot keep.
func (o *Org) logFrame(kind byte, payload []byte) error {
	if o.journal == nil {
		return nil
	}
	if o.broken != nil {
		return o.broken
	}
	if err := o.journal.write(kind, payload); err != nil {
		o.broken = fmt.Errorf("write journal: %w", err)
		o.cfg.Logger.Error("local org: journal cannot be written; the org answers 500 from now on", "error", err)
		return o.broken
	}
	return nil
}

// chunkHead starts the frame of a chunk; its rows follow, each a change or a failure.
type chunkHead struct {
	job    uint32
	chunk  int
	at     int64 // Unix nanoseconds
	active time.Duration
	rows   int
}

func appendChunkHead(dst []byte, h chunkHead) []byte {
	dst = binary.AppendUvarint(dst, uint64(h.job))
	dst = binary.AppendUvarint(dst, uint64(h.chunk))
	dst = binary.AppendVarint(dst, h.at)
	dst = binary.AppendVarint(dst, int64(h.active))
	return binary.AppendUvarint(dst, uint64(h.rows))
}

func appendChange(dst []byte, op op, ord uint32, r record) []byte {
	dst = append(dst, byte(op))
	dst = binary.AppendUvarint(dst, uint64(ord))
	if op == opErase {
		return dst
	}
	dst = binary.AppendUvarint(dst, uint64(len(r)))
	return append(dst, r...)
}

func appendFailure(dst []byte, id, text string) []byte {
	dst = append(dst, byte(opFail), byte(len(id)))
	dst = append(dst, id...)
	dst = binary.AppendUvarint(dst, uint64(len(text)))
	return append(dst, text...)
}

var errFrame = errors.New("frame is malformed")

// frameCursor reads what the append functions wrote; a read past the end sets bad and gives zeros.
type frameCursor struct {
	data []byte
	bad  bool
}

func (c *frameCursor) uint() uint64 {
	n, w := binary.Uvarint(c.data)
	return n * c.skip(w)
}

func (c *frameCursor) int() int64 {
	n, w := binary.Varint(c.data)
	return n * int64(c.skip(w))
}

func (c *frameCursor) skip(w int) uint64 {
	if w <= 0 {
		c.bad, c.data = true, nil
		return 0
	}
	c.data = c.data[w:]
	return 1
}

func (c *frameCursor) bytes(n uint64) []byte {
	if n > uint64(len(c.data)) {
		c.bad, c.data = true, nil
		return nil
	}
	b := c.data[:n]
	c.data = c.data[n:]
	return b
}

func (c *frameCursor) byte() byte {
	if b := c.bytes(1); b != nil {
		return b[0]
	}
	return 0
}
