package sinks

import (
	"io"

	"github.com/apache/arrow-go/v18/arrow"
)

// flushAt is how many bytes of rows are collected before they go on to the compression or the file.
const flushAt = 256 << 10

// lines writes formats that have a line for each row.
type lines struct {
	w     io.WriteCloser
	buf   []byte
	size  int64 // bytes of the lines that were flushed
	limit int64
	// bind returns what appends the line of a row of this batch.
	bind func(rows arrow.RecordBatch) appender
}

func (l *lines) write(rows arrow.RecordBatch, from, to int) (int, error) {
	line := l.bind(rows)
	for row := from; row < to; row++ {
		l.buf = line(l.buf, row)
		if len(l.buf) >= flushAt {
			if err := l.flush(); err != nil {
				return 0, err
			}
		}
		if l.full() {
			return row + 1 - from, nil
		}
	}
	return to - from, nil
}

func (l *lines) full() bool { return l.size+int64(len(l.buf)) >= l.limit }

func (l *lines) flush() error {
	_, err := l.w.Write(l.buf)
	l.size += int64(len(l.buf))
	l.buf = l.buf[:0]
	return err
}

func (l *lines) close() error {
	if err := l.flush(); err != nil {
		return err
	}
	return l.w.Close()
}
