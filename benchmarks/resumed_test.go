package benchmarks

import (
	"fmt"
	"os/exec"
	"slices"
	"testing"
	"time"
)

// resumedTable kills a load when nine of ten jobs are done, and prints how long its resumption takes to the first upload.
func resumedTable(t *testing.T, p programs, s setting) (median time.Duration) {
	d := accountsAs(t, s, "wide", wide, s.resumed)
	chunk := min(d.rows/s.resumedJobs, partRows)
	jobs := (d.rows + chunk - 1) / chunk
	runs := s.runs
	if d.bytes > 5e9 {
		runs = 1
	}
	var first, all []time.Duration
	for range runs {
		t.Run("resume", func(t *testing.T) {
			a, b, err := resumeOnce(t, p, d, chunk, jobs*9/10)
			if err != nil {
				t.Error(err)
				return
			}
			first, all = append(first, a), append(all, b)
		})
	}
	row := []string{fmt.Sprintf("%s rows, %d MB, %d jobs of which %d are done", grouped(d.rows), d.bytes/1e6, jobs, jobs*9/10), "FAILED", "", ""}
	if len(first) > 0 {
		slices.Sort(first)
		slices.Sort(all)
		median = first[len(first)/2]
		row[1], row[2] = fmt.Sprintf("%.2f", median.Seconds()), fmt.Sprintf("%.2f", all[len(all)/2].Seconds())
	}
	printTable([][]string{{"migrate resume", "first upload s", "end s", ""}, row})
	return median
}

// uploadCall is how the org counts uploads.
const uploadCall = "PUT jobs/ingest/{}/batches"

func resumeOnce(t *testing.T, p programs, d *dataset, chunk, done int) (first, all time.Duration, err error) {
	o := serveOrg(t, p, "--choice", "sink")
	// Uploads behind those hang, so that the load stands there when it is killed.
	if err := o.ask("POST", "/local/faults", fmt.Sprintf(`{"endpoint":%q,"skip":%d,"times":-1,"kind":"delay","delay":3600000000000}`, uploadCall, done), nil); err != nil {
		return 0, 0, err
	}
	state := t.TempDir()
	cmd := loader{p, o}.load("", d.csv, d.rows, append(d.maps(), "--chunk-rows", fmt.Sprint(chunk))...).command(state)
	if err := cmd.Start(); err != nil {
		return 0, 0, err
	}
	err = soon(10*time.Minute, func() (bool, error) {
		a, err := o.audit()
		return a.Calls[uploadCall] == done && a.Faults[uploadCall+": delay"] > 0, err
	})
	time.Sleep(time.Second) // what has come is settled
	cmd.Process.Kill()
	cmd.Wait()
	if err != nil {
		return 0, 0, fmt.Errorf("the load does not come to nine of ten jobs: %w", err)
	}
	if err := o.ask("DELETE", "/local/faults", "", nil); err != nil {
		return 0, 0, err
	}
	time.Sleep(200 * time.Millisecond) // calls that hung have gone with the process that made them
	before, err := o.audit()
	if err != nil {
		return 0, 0, err
	}
	return o.firstUpload(withToken(p.migrate, "resume", "--instance-url", o.url, "--state-dir", state, "--quiet"), before.Calls[uploadCall], d.rows)
}

// firstUpload runs a command and gives its time to the first upload and to its end, when the org must have all rows.
func (o *served) firstUpload(cmd *exec.Cmd, before, rows int) (first, all time.Duration, err error) {
	begun := time.Now()
	ended := make(chan error, 1)
	go func() {
		_, _, err := spend(cmd)
		all = time.Since(begun)
		ended <- err
	}()
	watch := soon(10*time.Minute, func() (bool, error) {
		a, err := o.audit()
		first = time.Since(begun)
		return a.Calls[uploadCall] > before, err
	})
	if err := <-ended; err != nil {
		return 0, 0, err
	}
	if watch != nil {
		return 0, 0, fmt.Errorf("no upload: %w", watch)
	}
	_, err = o.got(rows)("", "")
	return first, all, err
}

// soon tries until it is true, for so long at most.
func soon(most time.Duration, is func() (bool, error)) error {
	for end := time.Now().Add(most); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if ok, err := is(); ok || err != nil {
			return err
		}
	}
	return fmt.Errorf("not within %s", most)
}
