package benchmarks

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"migrate/internal/datagen"
)

// build makes the command once for a test or benchmark.
func build(tb testing.TB) string {
	tb.Helper()
	bin := filepath.Join(tb.TempDir(), "migrate")
	cmd := exec.Command("go", "build", "-o", bin, "../cmd/migrate")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("build: %v\n%s", err, out)
	}
	return bin
}

// accounts writes rows of 12 columns, about 190 bytes each.
func accounts(tb testing.TB, rows int) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "accounts.csv")
	f, err := os.Create(path)
	if err != nil {
		tb.Fatal(err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	if err := datagen.Accounts(w, 1, rows); err != nil {
		tb.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		tb.Fatal(err)
	}
	if err := f.Close(); err != nil {
		tb.Fatal(err)
	}
	return path
}

// serve starts the local org as a process, with more flags, and returns its address.
func serve(tb testing.TB, bin string, args ...string) string {
	tb.Helper()
	cmd := withToken(bin, append([]string{"org", "serve", "--listen", "127.0.0.1:0"}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		tb.Fatalf("the org does not start: %v", err)
	}
	_, rest, _ := strings.Cut(line, "http://")
	addr, _, _ := strings.Cut(rest, " ")
	return "http://" + addr
}

// load runs one load and returns its time and the largest memory of its process.
func load(tb testing.TB, bin, url, file string, args ...string) (time.Duration, int64) {
	tb.Helper()
	cmd := withToken(bin, append([]string{"load", file, "--object", "Account", "--operation", "insert", "--instance-url", url,
		"--state-dir", tb.TempDir(), "--quiet"}, args...)...)
	took, peak, _ := measure(tb, cmd)
	return took, peak
}

// measure runs a command to its end, which must be a good one. It gives its time, the largest memory that it had, and its time of CPU.
func measure(tb testing.TB, cmd *exec.Cmd) (took time.Duration, peak int64, cpu time.Duration) {
	tb.Helper()
	s, _, err := spend(cmd)
	if err != nil {
		tb.Fatal(err)
	}
	return s.wall, s.peak, s.cpu
}

// TestMemory loads a file in a process of its own and bounds the memory of that process. It takes 55 to 75 MiB here; a
// load that held its 38 MB of input twice would not pass.
func TestMemory(t *testing.T) { testMemory(t, 200_000, 100<<20, "--chunk-rows", "20000") }

// TestTortureMemory is TestMemory at the size and with the settings of a real load.
func TestTortureMemory(t *testing.T) {
	if os.Getenv("MIGRATE_TORTURE") == "" {
		t.Skip("long: set MIGRATE_TORTURE=1, or use make torture")
	}
	testMemory(t, 1_000_000, 400<<20)
}

func testMemory(t *testing.T, rows int, bound int64, args ...string) {
	bin := build(t)
	file := accounts(t, rows)
	url := serve(t, bin)
	took, peak := load(t, bin, url, file, args...)
	t.Logf("%d rows in %s, peak memory %d MiB", rows, took.Round(time.Millisecond), peak>>20)
	if peak > bound {
		t.Errorf("peak memory %d MiB, at most %d are allowed", peak>>20, bound>>20)
	}
	if n := inOrg(t, url); n != rows {
		t.Errorf("%d rows in the org, want %d", n, rows)
	}
}

// inOrg asks the org itself how many accounts it has, by a query of its own and not by our client.
func inOrg(tb testing.TB, url string) int {
	tb.Helper()
	req, err := http.NewRequest(http.MethodGet, url+"/services/data/v66.0/query?q=SELECT+COUNT()+FROM+Account", nil)
	if err != nil {
		tb.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		tb.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		TotalSize int `json:"totalSize"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		tb.Fatal(err)
	}
	return answer.TotalSize
}

// BenchmarkLoad is a whole load: read, cut, upload, process, settle. The local org works in another process on the same
// cores, so the figure is for comparing two versions of this program, not for what Salesforce permits.
func BenchmarkLoad(b *testing.B) {
	bin := build(b)
	for _, rows := range []int{100_000, 1_000_000} {
		file := accounts(b, rows)
		for _, args := range [][]string{nil, {"--no-success"}} {
			b.Run(fmt.Sprintf("rows=%d/%s", rows, strings.Join(append(args, "."), "")), func(b *testing.B) {
				for b.Loop() {
					b.StopTimer()
					url := serve(b, bin)
					b.StartTimer()
					_, peak := load(b, bin, url, file, args...)
					b.ReportMetric(float64(peak)/(1<<20), "MiB-peak")
				}
				b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
			})
		}
	}
}
