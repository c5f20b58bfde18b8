package salesforce_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"migrate/pkg/salesforce"
)

func TestTransportSpeaksTLS13AndHTTP11(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		max  uint16 // of the server
		good bool
	}{{"TLS 1.3", tls.VersionTLS13, true}, {"TLS 1.2", tls.VersionTLS12, false}} {
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Proto) }))
		s.EnableHTTP2 = true
		s.Config.ErrorLog = quiet
		s.TLS = &tls.Config{MaxVersion: tt.max}
		s.StartTLS()
		t.Cleanup(s.Close)
		tr := salesforce.NewTransport()
		tr.TLSClientConfig.RootCAs = x509.NewCertPool()
		tr.TLSClientConfig.RootCAs.AddCert(s.Certificate())
		c := open(t, salesforce.Config{InstanceURL: s.URL, Transport: tr, Sleep: noSleep})
		resp, err := c.Do(t.Context(), &salesforce.Request{Method: "GET", Path: "/x", Class: salesforce.Repeat})
		if !tt.good {
			if err == nil {
				t.Errorf("%s: accepted", tt.name)
			}
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		got, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if string(got) != "HTTP/1.1" || resp.TLS.Version != tls.VersionTLS13 {
			t.Errorf("%s: got %s, TLS %x", tt.name, got, resp.TLS.Version)
		}
	}
}

func TestTransportTakesTheProxyFromTheEnvironment(t *testing.T) {
	t.Parallel()
	tr := salesforce.NewTransport()
	if tr.Proxy == nil {
		t.Error("no proxy function")
	}
	if tr.WriteBufferSize != 256<<10 || tr.TLSHandshakeTimeout == 0 || tr.ResponseHeaderTimeout == 0 {
		t.Errorf("got write buffer %d, handshake %v, header %v", tr.WriteBufferSize, tr.TLSHandshakeTimeout, tr.ResponseHeaderTimeout)
	}
}
