package datagen_test

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/zeebo/xxh3"

	"migrate/internal/datagen"
)

func read(t *testing.T, data []byte) (header []string, rows [][]string) {
	t.Helper()
	all, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	if err != nil {
		t.Fatalf("encoding/csv refuses the data: %v", err)
	}
	return all[0], all[1:]
}

func write(t *testing.T, f func(io.Writer, uint64, int) error, seed uint64, rows int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := f(&b, seed, rows); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestAccounts(t *testing.T) {
	t.Parallel()
	const n = 50_000
	data := write(t, datagen.Accounts, 7, n)
	header, rows := read(t, data)
	want := "Legacy_Id__c,Name,Phone,Website,BillingStreet,BillingCity,BillingPostalCode,BillingCountry,Industry,AnnualRevenue,NumberOfEmployees,Description"
	if diff := cmp.Diff(strings.Split(want, ","), header); diff != "" {
		t.Errorf("header (-want +got):\n%s", diff)
	}
	if len(rows) != n {
		t.Errorf("got %d rows, want %d", len(rows), n)
	}
	if !utf8.Valid(data) || bytes.ContainsRune(data, '\r') || bytes.ContainsRune(data, 0) {
		t.Error("the data is not UTF-8 with LF alone")
	}
	if size := len(data) / n; size < 180 || size > 200 {
		t.Errorf("a row has %d bytes, want about 190", size)
	}
	var special, scientific int
	ids := map[string]bool{}
	for i, row := range rows {
		ids[strings.ToLower(row[0])] = true
		if bad := accountFault(row); bad != "" {
			t.Fatalf("row %d: %s: %q", i+1, bad, row)
		}
		if strings.ContainsAny(strings.Join(row, ""), ",\"\n") {
			special++
		}
		if v, _ := strconv.ParseInt(row[9], 10, 64); v >= 10_000_000 && v%10_000 == 0 {
			scientific++
		}
	}
	if len(ids) != n {
		t.Errorf("%d legacy ids in %d rows, want all different", len(ids), n)
	}
	if share := float64(special) / n; share < 0.03 || share > 0.15 {
		t.Errorf("%.1f%% of the rows need quotes, want a few per cent", 100*share)
	}
	if scientific < n/10 {
		t.Errorf("%d rows with a round revenue above 1e7, want more than %d", scientific, n/10)
	}
}

// accountFault says what the org would refuse in a row with the columns of Accounts.
func accountFault(row []string) string {
	limits := []int{40, 255, 40, 255, 255, 40, 20, 80, 255, 18, 8, 32000}
	for i, limit := range limits {
		if utf8.RuneCountInString(row[i]) > limit {
			return "column " + strconv.Itoa(i+1) + " is too long"
		}
		if row[i] != strings.TrimSpace(row[i]) || row[i] == "#N/A" {
			return "column " + strconv.Itoa(i+1) + " would not be stored as it stands"
		}
	}
	if row[0] == "" || row[1] == "" {
		return "no id or no name"
	}
	for _, i := range []int{9, 10} {
		if _, err := strconv.ParseInt(row[i], 10, 64); row[i] != "" && err != nil {
			return err.Error()
		}
	}
	if host := row[3]; host != "" {
		u, err := url.Parse("https://" + host)
		if err != nil {
			return err.Error()
		}
		if !strings.HasSuffix(u.Host, ".example.com") && !strings.HasSuffix(u.Host, ".example.org") && !strings.HasSuffix(u.Host, ".example.net") {
			return "a host that somebody may own"
		}
	}
	return ""
}

// The bytes are part of what other tests and published figures rest on: they must not change unnoticed.
func TestAccountsAreStable(t *testing.T) {
	t.Parallel()
	want := "Legacy_Id__c,Name,Phone,Website,BillingStreet,BillingCity,BillingPostalCode,BillingCountry,Industry,AnnualRevenue,NumberOfEmployees,Description\n" +
		"1-000000001,Bursztynek Przyprawy sp. z o.o.,+48 42 5554553,www.bursztynek.example.org,ulica Świętojańska 117,Pabianice,92-884,Poland,Utilities,1765964,3906,Two delivery addresses and one for invoices\n" +
		"1-000000002,Lancelune Pesage SARL,+33 4 3702053,www.lancelune.example.org,place d'Armes 47,Bron,69890,France,Biotechnology,669210000,205,Prefers to rent\n"
	if got := string(write(t, datagen.Accounts, 1, 2)); got != want {
		t.Errorf("seed 1:\n got %q\nwant %q", got, want)
	}
	if got, want := xxh3.Hash(write(t, datagen.Accounts, 1, 20_000)), uint64(0x96b76d292026c26c); got != want {
		t.Errorf("20,000 rows of seed 1: got hash %#x, want %#x", got, want)
	}
	if got, want := xxh3.Hash(write(t, datagen.EqualAccounts, 1, 20_000)), uint64(0x555f95176b532ae9); got != want {
		t.Errorf("20,000 equal rows of seed 1: got hash %#x, want %#x", got, want)
	}
	long, short := write(t, datagen.Accounts, 1, 3000), write(t, datagen.Accounts, 1, 1000)
	if !bytes.HasPrefix(long, short) {
		t.Error("a shorter file is not the beginning of a longer one")
	}
	if bytes.Equal(short, write(t, datagen.Accounts, 2, 1000)) {
		t.Error("seeds 1 and 2 give the same file")
	}
}

func TestNoRows(t *testing.T) {
	t.Parallel()
	if header, rows := read(t, write(t, datagen.Accounts, 1, 0)); len(header) != 12 || len(rows) != 0 {
		t.Errorf("no rows asked for: got header %q and %d rows", header, len(rows))
	}
	if err := datagen.Accounts(io.Discard, 1, -1); err == nil {
		t.Error("-1 rows: got no error")
	}
}

func TestEqualAccounts(t *testing.T) {
	t.Parallel()
	const n = 10_000
	header, rows := read(t, write(t, datagen.EqualAccounts, 3, n))
	if len(rows) != n || len(header) != 11 || header[0] != "Name" {
		t.Fatalf("got %d rows and the header %q", len(rows), header)
	}
	times := map[string]int{}
	for _, row := range rows {
		if bad := accountFault(append([]string{"-"}, row...)); bad != "" {
			t.Fatalf("%s: %q", bad, row)
		}
		times[strings.Join(row, "\x00")]++
	}
	var repeated, unique int
	for row, count := range times {
		switch {
		case count > 1:
			repeated += count
		case strings.Contains(row, " No. "):
			unique++
		}
	}
	if repeated < n/3 || unique < n/3 {
		t.Errorf("%d rows have an equal, %d are unique, want about %d each", repeated, unique, n/2)
	}
}

type broken struct{ left int }

func (b *broken) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, io.ErrShortWrite
	}
	return len(p), nil
}

func TestWriteError(t *testing.T) {
	t.Parallel()
	for _, left := range []int{0, 1 << 20} {
		if err := datagen.Accounts(&broken{left}, 1, 20_000); !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("a writer that fails after %d bytes: got %v", left, err)
		}
	}
}

func BenchmarkAccounts(b *testing.B) {
	var size counter
	for b.Loop() {
		size = 0
		if err := datagen.Accounts(&size, 1, 100_000); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(size))
}

type counter int

func (c *counter) Write(p []byte) (int, error) { *c += counter(len(p)); return len(p), nil }
