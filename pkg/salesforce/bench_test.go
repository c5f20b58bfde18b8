package salesforce_test

import (
	"bytes"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"migrate/pkg/salesforce"
)

// BenchmarkUpload sends bodies of 100 MB to a server in the same process that drops them.
func BenchmarkUpload(b *testing.B) {
	body := []byte(strings.Repeat("0015g00000AbCdE,Acme,Berlin,1234.50,2026-01-02\n", 100_000_000/47))
	for _, secure := range []bool{false, true} {
		b.Run(map[bool]string{false: "plain", true: "TLS"}[secure], func(b *testing.B) {
			s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				io.CopyBuffer(struct{ io.Writer }{io.Discard}, r.Body, make([]byte, 256<<10))
			}))
			tr := salesforce.NewTransport()
			if secure {
				s.StartTLS()
				tr.TLSClientConfig.RootCAs = x509.NewCertPool()
				tr.TLSClientConfig.RootCAs.AddCert(s.Certificate())
			} else {
				s.Start()
			}
			defer s.Close()
			c, err := salesforce.Open(b.Context(), salesforce.Config{InstanceURL: s.URL, Auth: salesforce.AccessToken(testToken), Transport: tr})
			if err != nil {
				b.Fatal(err)
			}
			defer c.CloseIdleConnections()
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				resp, err := c.Do(b.Context(), &salesforce.Request{Method: "PUT", Path: "/x", Size: int64(len(body)),
					Body: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }})
				if err != nil {
					b.Fatal(err)
				}
				resp.Body.Close()
			}
		})
	}
}
