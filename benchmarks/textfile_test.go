package benchmarks

import (
	"bytes"
	"io"
	"os"
	"strings"
)

// textFile is a CSV file that is written.
type textFile struct {
	f    *os.File
	b    []byte
	size int
}

func newTextFile(path string, header []string) (*textFile, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	w := &textFile{f: f}
	return w, w.write(appendRecord(nil, header))
}

func (w *textFile) write(line []byte) error {
	w.b, w.size = append(w.b, line...), w.size+len(line)
	if len(w.b) < 1<<20 {
		return nil
	}
	_, err := w.f.Write(w.b)
	w.b = w.b[:0]
	return err
}

func (w *textFile) close() error {
	if _, err := w.f.Write(w.b); err != nil {
		w.f.Close()
		return err
	}
	return w.f.Close()
}

// appendRecord writes quotes where they are needed.
func appendRecord(b []byte, cells []string) []byte {
	for i, cell := range cells {
		if i > 0 {
			b = append(b, ',')
		}
		if !strings.ContainsAny(cell, ",\"\n\r") {
			b = append(b, cell...)
			continue
		}
		b = append(append(append(b, '"'), strings.ReplaceAll(cell, `"`, `""`)...), '"')
	}
	return append(b, '\n')
}

// csvRows counts the records of a CSV file without its header.
func csvRows(path string) (int, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	// A line ends where a break stands outside quotes; both pieces of a doubled quote turn over and back.
	quoted, n, buf := false, -1, make([]byte, 1<<20)
	for {
		got, err := f.Read(buf)
		for data := buf[:got]; len(data) > 0; {
			at := bytes.IndexByte(data, '"')
			if at < 0 {
				at = len(data)
			}
			if !quoted {
				n += bytes.Count(data[:at], []byte("\n"))
			}
			if at == len(data) {
				break
			}
			quoted, data = !quoted, data[at+1:]
		}
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return 0, err
		}
	}
}
