package conformance

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestCLIWithJWT logs in by JWT over TLS, as a pipeline does, and drives the org.
func TestCLIWithJWT(t *testing.T) {
	installed := need(t)
	c := &cli{clients: installed, home: t.TempDir()}
	key, cert := selfSigned(t)
	c.write(t, "key.pem", key)
	c.write(t, "cert.pem", cert)
	at := func(name string) string { return filepath.Join(c.home, name) }
	// one key serves as the app's and as the server's
	o := serve(t, "--tls-cert", at("cert.pem"), "--tls-key", at("key.pem"), "--jwt-public-key-file", at("cert.pem"), "--client-id", "conformance")
	c.env = []string{"NODE_EXTRA_CA_CERTS=" + at("cert.pem")}
	if !strings.HasPrefix(o.url, "https://") {
		t.Fatalf("the org listens at %s", o.url)
	}

	bad := c.try(t, "org", "login", "jwt", "--client-id", "somebody else", "--jwt-key-file", "key.pem", "--username", "admin@local.example.com", "--instance-url", o.url)
	if bad.Status == 0 || !strings.Contains(bad.Message, "client identifier invalid") {
		t.Errorf("login of an unknown client: %+v", bad)
	}
	var login struct{ Username, InstanceURL string }
	c.run(t, &login, "org", "login", "jwt", "--client-id", "conformance", "--jwt-key-file", "key.pem", "--username", "admin@local.example.com", "--instance-url", o.url, "--alias", "org")
	if login.Username != "admin@local.example.com" || strings.TrimSuffix(login.InstanceURL, "/") != o.url {
		t.Errorf("login %+v", login)
	}
	rows := accounts(30)
	c.write(t, "accounts.csv", accountsCSV(rows, ',', false))
	var r ingested
	c.run(t, &r, "data", "import", "bulk", "--file", "accounts.csv", "--sobject", "Account", "--wait", "5", "--target-org", "org")
	if r.SuccessfulRecords != 30 {
		t.Errorf("import %+v", r)
	}
	got, _ := c.export(t, exportQuery, "export.csv")
	want(t, "export", rows, got)
}

// selfSigned makes a key and a certificate for the loopback address, both PEM.
func selfSigned(t *testing.T) (key, cert string) {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "local org"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, form, form, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}
