package benchmarks

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"
)

// pace is an org whose jobs take a given time, and so many of them.
type pace struct {
	jobs, slots int
	service     time.Duration // of a job; the org works on as many at once as it has slots
}

var (
	fullPace  = []pace{{100, 4, 2 * time.Second}, {8, 8, time.Minute}}
	quickPace = []pace{{4, 4, 500 * time.Millisecond}}
)

// busy is how well an org was kept at work.
type busy struct {
	efficiency float64 // the least time that the jobs could take, by the time that they took
	polls      float64 // by job-minute
}

const pacedRows = 1000 // of a job

// pacedTable loads into orgs that take their time, and prints how busy they were kept and what polling cost.
func pacedTable(t *testing.T, p programs, s setting) (all []busy) {
	rows := [][]string{{"paced org", "ideal s", "measured s", "efficiency", "polls", "job-minutes", "polls / job-minute", ""}}
	for _, pace := range s.paced {
		d := accountsAs(t, s, "narrow", narrow, pace.jobs*pacedRows)
		name := fmt.Sprintf("%d jobs of %s, %d slots", pace.jobs, pace.service, pace.slots)
		t.Run(name, func(t *testing.T) {
			// A batch of 10,000 rows has the batch time, a smaller one its share.
			o := serveOrg(t, p, "--slots", fmt.Sprint(pace.slots), "--batch-time", (pace.service * 10_000 / pacedRows).String())
			c := loader{p, o}.load(name, d.csv, d.rows, append(d.maps(), "--chunk-rows", fmt.Sprint(pacedRows), "--readers", "1")...)
			took, _, err := spend(c.command(filepath.Join(t.TempDir(), "state")))
			if err == nil {
				_, err = c.check("", "")
			}
			if err != nil {
				t.Error(err)
				rows = append(rows, []string{name, "FAILED", "", "", "", "", "", ""})
				return
			}
			a, err := o.audit()
			if err != nil {
				t.Fatal(err)
			}
			minutes, err := o.jobMinutes()
			if err != nil {
				t.Fatal(err)
			}
			polls := a.Calls["GET jobs/ingest/{}"]
			ideal := (pace.service * time.Duration((pace.jobs+pace.slots-1)/pace.slots)).Seconds()
			b := busy{ideal / took.seconds(), float64(polls) / minutes}
			all = append(all, b)
			rows = append(rows, []string{name, fmt.Sprintf("%.1f", ideal), fmt.Sprintf("%.1f", took.seconds()), fmt.Sprintf("%.3f", b.efficiency),
				fmt.Sprint(polls), fmt.Sprintf("%.1f", minutes), fmt.Sprintf("%.1f", b.polls), "one run"})
		})
	}
	printTable(rows)
	return all
}

// jobMinutes is how long the jobs of an org took, from their making to their end, all together.
func (o *served) jobMinutes() (minutes float64, err error) {
	for path := "/services/data/v66.0/jobs/ingest"; path != ""; {
		var list struct {
			Records []struct{ CreatedDate, SystemModstamp string }
			Next    string `json:"nextRecordsUrl"`
		}
		if err := o.ask("GET", path, "", &list); err != nil {
			return 0, err
		}
		for _, j := range list.Records {
			from, err := time.Parse("2006-01-02T15:04:05.000-0700", j.CreatedDate)
			if err != nil {
				return 0, err
			}
			to, err := time.Parse("2006-01-02T15:04:05.000-0700", j.SystemModstamp)
			if err != nil {
				return 0, err
			}
			minutes += to.Sub(from).Minutes()
		}
		path = list.Next
	}
	return minutes, nil
}
