package sources

import (
	"encoding/binary"
	"os"
	"path/filepath"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"
)

// spoolFile is a spool while it is written: an Arrow IPC file, and beside it an index, the number of rows of each batch, 4 bytes each.
// Both are readable by their owner alone. The file appears whole or not at all; the index is there before the file is.
type spoolFile struct {
	path  string
	f     *os.File // under another name; nil when it is finished or given up
	w     *ipc.FileWriter
	index []byte
	rows  int64
}

func createSpool(path string, schema *arrow.Schema) (*spoolFile, error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // mode 0600
	if err != nil {
		return nil, err
	}
	w, err := ipc.NewFileWriter(f, ipc.WithSchema(schema))
	if err != nil {
		f.Close()
		os.Remove(f.Name())
		return nil, err
	}
	return &spoolFile{path: path, f: f, w: w}, nil
}

// write appends a batch.
func (s *spoolFile) write(b arrow.RecordBatch) error {
	if err := s.w.Write(b); err != nil {
		return err
	}
	s.index = binary.LittleEndian.AppendUint32(s.index, uint32(b.NumRows()))
	s.rows += b.NumRows()
	return nil
}

// finish makes the file durable and gives it its name, which lasts when the folder was synced, too.
func (s *spoolFile) finish() error {
	if err := s.w.Close(); err != nil {
		return err
	}
	if err := s.f.Sync(); err != nil {
		return err
	}
	if err := s.f.Close(); err != nil {
		return err
	}
	if err := writeIndex(s.path+indexSuffix, s.index); err != nil {
		return err
	}
	if err := os.Rename(s.f.Name(), s.path); err != nil {
		os.Remove(s.path + indexSuffix)
		return err
	}
	s.f = nil
	return nil
}

// abandon removes what was not finished.
func (s *spoolFile) abandon() {
	if s.f != nil {
		s.f.Close()
		os.Remove(s.f.Name())
		s.f = nil
	}
}

// indexSuffix stands behind the name of a spool for its index.
const indexSuffix = ".index"

func writeIndex(path string, index []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(index)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		os.Remove(path)
	}
	return err
}
