package salesforce

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"time"
)

const (
	// Salesforce cuts a request at 10 minutes, so a longer silence means that nobody is there.
	silence = 11 * time.Minute
	// A write moves on when the other side takes bytes; one that does not for so long is stuck.
	stuck = 5 * time.Minute
)

// NewTransport returns the transport that everything should use: TLS 1.3 at least, proxies from HTTPS_PROXY, HTTP_PROXY
// and NO_PROXY, HTTP/1.1 with keep-alive (faster than HTTP/2 for one large body) and a 256 KiB write buffer. Dialling
// may take 30 seconds, a TLS handshake 15; a connection that stays silent for 11 minutes or takes no byte for 5 is given
// up. There is no limit on the whole of a request. The caller may change it before its first use, for example
// TLSClientConfig.MinVersion for a proxy that knows TLS 1.2 only; who puts another DialContext in wraps it with Live.
func NewTransport() *http.Transport {
	dialer := &net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}
	t := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           Live(dialer.DialContext),
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS13},
		TLSHandshakeTimeout:   15 * time.Second,
		MaxIdleConnsPerHost:   64,
		IdleConnTimeout:       time.Minute,
		ResponseHeaderTimeout: silence,
		WriteBufferSize:       256 << 10,
		ReadBufferSize:        64 << 10,
		Protocols:             new(http.Protocols),
	}
	t.Protocols.SetHTTP1(true)
	return t
}

// Dial makes a connection, as http.Transport.DialContext.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// Live gives the connections of dial the time-outs of NewTransport: one that stays silent for 11 minutes or takes no byte for 5 is given
// up.
func Live(dial Dial) Dial {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return liveConn{c}, nil
	}
}

// liveConn gives every read and write its own deadline, so that a dead peer is noticed and a slow one is not hurt.
type liveConn struct{ net.Conn }

func (c liveConn) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(silence)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

func (c liveConn) Write(p []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(stuck)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}
