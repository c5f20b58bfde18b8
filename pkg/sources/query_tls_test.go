package sources_test

import (
	"encoding/binary"
	"io"
	"net"
	"path/filepath"
	"testing"

	"migrate/pkg/sources"
)

// TestMySQLPrefersTLS: a server that offers TLS is asked for it before a password is sent, unless the address says otherwise.
func TestMySQLPrefersTLS(t *testing.T) {
	t.Parallel()
	const withTLS, plain = 0xf7ff | 0x800, 0xf7ff &^ 0x800 // capabilities
	for _, test := range []struct {
		name, parameters string
		offers           uint16
		want             bool
	}{
		{"offered", "", withTLS, true},
		{"not offered", "", plain, false},
		{"offered, not wanted", "?tls=false", withTLS, false},
		{"offered and wanted", "?tls=skip-verify", withTLS, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			asked := make(chan bool, 1)
			go func() {
				c, err := l.Accept()
				if err != nil {
					return
				}
				defer c.Close()
				// the server's greeting in the MySQL protocol, and the head of the answer: its length and the client's capabilities
				greeting := append([]byte{10}, "8.0.0\x00\x01\x00\x00\x00abcdefgh\x00"...)
				greeting = binary.LittleEndian.AppendUint16(greeting, test.offers)
				greeting = append(greeting, "\x2d\x02\x00\x0f\x00\x15\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00ijklmnopqrst\x00mysql_native_password\x00"...)
				c.Write(append([]byte{byte(len(greeting)), 0, 0, 0}, greeting...))
				var head [8]byte
				if _, err := io.ReadFull(c, head[:]); err != nil {
					t.Error(err)
				}
				asked <- head[0] == 32 && binary.LittleEndian.Uint32(head[4:])&0x800 != 0
			}()
			q := sources.Query{DSN: "mysql://me:secret@" + l.Addr().String() + "/x" + test.parameters, SQL: "select 1", Name: "q"}
			if _, err := q.Spool(t.Context(), filepath.Join(t.TempDir(), "q")); err == nil {
				t.Error("half a server has answered")
			}
			if got := <-asked; got != test.want {
				t.Errorf("asked for TLS: %v, want %v", got, test.want)
			}
		})
	}
}
