package sources

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// The values of Split.Compression.
const (
	compressedGzip = "gzip"
	compressedZstd = "zstd"
)

const (
	unpackedHead = 1 << 20 // bytes of a compressed file that are looked at to find out how to read it
	zstdWindow   = 128 << 20
)

// packed are the ways of compressing that are known, by the first bytes of a file. Those without a name are refused.
var packed = []struct{ magic, name, what string }{
	{"\x1F\x8B", compressedGzip, ""},
	{"\x28\xB5\x2F\xFD", compressedZstd, ""},
	{"BZh", "", "bzip2"},
	{"\xFD7zXZ\x00", "", "xz"},
	{"\x04\x22\x4D\x18", "", "lz4"},
	{"7z\xBC\xAF\x27\x1C", "", "7-Zip"},
}

// compressionOf tells by its first bytes how a file is compressed; "" means not at all.
func compressionOf(f io.ReaderAt) (string, error) {
	var head [8]byte
	n, err := f.ReadAt(head[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	for _, p := range packed {
		if !bytes.HasPrefix(head[:n], []byte(p.magic)) {
			continue
		}
		if p.name == "" {
			return "", fmt.Errorf("it is compressed with %s, which is not supported; unpack it, or compress it with gzip or zstd", p.what)
		}
		return p.name, nil
	}
	if n >= 4 && head[0]&0xF0 == 0x50 && string(head[1:4]) == "\x2A\x4D\x18" {
		return compressedZstd, nil // it begins with a frame to be skipped
	}
	return "", nil
}

// unpacked is what comes out of a compressed file. Its errors say how far it came; none of them is mistaken for the end.
// Damage within the data is found by the checksum, which stands behind the data it is of: what came out since the last one may
// have been wrong.
type unpacked struct {
	r     io.Reader
	close func() error
	path  string
	out   int64 // bytes that came out
	err   error
}

func unpack(f *os.File, path, compression string) (*unpacked, error) {
	u := &unpacked{path: path, close: func() error { return nil }}
	in := bufio.NewReaderSize(io.NewSectionReader(f, 0, 1<<62), rawSize)
	switch compression {
	case compressedGzip:
		r, err := gzip.NewReader(in)
		if err != nil {
			return nil, u.damaged(err)
		}
		u.r, u.close = r, r.Close
	case compressedZstd:
		r, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(zstdWindow))
		if err != nil {
			return nil, u.damaged(err)
		}
		u.r, u.close = r, func() error { r.Close(); return nil }
	default:
		return nil, fmt.Errorf("%s: compression %q is not known", path, compression)
	}
	return u, nil
}

func (u *unpacked) damaged(err error) error {
	what := "is damaged"
	if errors.Is(err, io.ErrUnexpectedEOF) {
		what = "was cut off"
	}
	return fmt.Errorf("the compressed file %s %s: no more than %d bytes come out of it (%w); make it again", u.path, what, u.out, err)
}

func (u *unpacked) Read(b []byte) (int, error) {
	if u.err != nil {
		return 0, u.err
	}
	n, err := u.r.Read(b)
	u.out += int64(n)
	if err != nil {
		if u.err = io.EOF; err != io.EOF {
			u.err = u.damaged(err)
		}
	}
	return n, u.err
}

// skip passes over the first n bytes.
func (u *unpacked) skip(ctx context.Context, n int64) error {
	for left := n; left > 0; {
		if err := ctx.Err(); err != nil {
			return err
		}
		k, err := io.CopyN(io.Discard, u, min(left, unpackedHead))
		left -= k
		if err == io.EOF {
			return fmt.Errorf("%s: %w: %d bytes come out of it, and reading was to go on at %d", u.path, ErrChanged, u.out, n)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// textBytes are the bytes of a text split from an offset on. Close frees what reading takes, but not the file.
func textBytes(ctx context.Context, f *os.File, s Split, offset int64) (io.Reader, func() error, error) {
	if s.Compression == "" {
		return io.NewSectionReader(f, offset, s.End-offset), func() error { return nil }, nil
	}
	u, err := unpack(f, s.Path, s.Compression)
	if err != nil {
		return nil, nil, err
	}
	if err := u.skip(ctx, offset); err != nil {
		u.close()
		return nil, nil, err
	}
	return u, u.close, nil
}

// textHead is the text of a file as far as it is looked at to find out how to read it: all of it, or the head of what comes
// out of a compressed one.
type textHead struct {
	io.ReaderAt
	size        int64
	compression string
	damaged     error // why the head ends before its time
}

func headOf(f *os.File, path string, size int64) (textHead, error) {
	compression, err := compressionOf(f)
	if err != nil {
		return textHead{}, fmt.Errorf("%s: %w", path, err)
	}
	if compression == "" {
		return textHead{ReaderAt: f, size: size}, nil
	}
	u, err := unpack(f, path, compression)
	if err != nil {
		return textHead{}, err
	}
	defer u.close()
	head, err := io.ReadAll(io.LimitReader(u, unpackedHead))
	if err != nil && len(head) == 0 {
		return textHead{}, err
	}
	return textHead{ReaderAt: bytes.NewReader(head), size: int64(len(head)), compression: compression, damaged: err}, nil
}

// from reads from an offset on. A head that was damaged does not seem to be the whole file.
func (h textHead) from(offset int64) io.Reader {
	r := io.NewSectionReader(h, offset, h.size-offset)
	if h.damaged == nil {
		return r
	}
	return io.MultiReader(r, failing{h.damaged})
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
