package localorg

import (
	"fmt"
	"testing"
	"time"
)

// A query times out exactly when it has more records to give than the bound, whatever they are found by; a count has its own bound.
func TestQueryTimeout(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := open(t, Config{Dir: dir, QueryRows: 5, CountRows: 8})
	text := "Your query request was running for too long."
	for n := 1; n <= 9; n++ {
		_, err := c.org.Save("Account", map[string]string{"Name": fmt.Sprint("n", n), "Phone": fmt.Sprint(n % 2)}, time.Now())
		c.must(err)
		for query, rows := range map[string]int{
			"SELECT Name FROM Account":                        n,
			"SELECT Name FROM Account ORDER BY Name":          n,
			"SELECT Name FROM Account LIMIT 5":                min(n, 5),
			"SELECT Name FROM Account LIMIT 6":                min(n, 6),
			"SELECT Name FROM Account ORDER BY Name LIMIT 6":  min(n, 6),
			"SELECT Name FROM Account WHERE Phone = '1'":      (n + 1) / 2,
			"SELECT Name FROM Account WHERE Name = 'nothing'": 0,
		} {
			if a := c.soql(query); rows > 5 {
				a.want(t, query, 400, "QUERY_TIMEOUT", text)
			} else if a.status != 200 {
				t.Errorf("%s of %d: %+v", query, n, a)
			}
			var j jobAnswer
			c.json("POST", "jobs/query", spec{"operation": "query", "query": query}, 200, &j)
			c.waitEnd(j.ID)
			c.json("GET", "jobs/query/"+j.ID, nil, 200, &j)
			want := jobAnswer{State: "JobComplete", Processed: rows}
			if rows > 5 {
				want = jobAnswer{State: "Failed", Retries: 15, ErrorMessage: "InternalServerError : Retried more than fifteen times", Processed: j.Processed}
			}
			if j.State != want.State || j.Retries != want.Retries || j.ErrorMessage != want.ErrorMessage || j.Processed != want.Processed {
				t.Errorf("%s of %d: %+v, want %+v", query, n, j, want)
			}
			if n == 9 && rows > 5 {
				again := open(t, Config{Dir: copyDir(t, dir)})
				var kept jobAnswer
				if again.json("GET", "jobs/query/"+j.ID, nil, 200, &kept); kept != j {
					t.Errorf("opened again: %+v, want %+v", kept, j)
				}
			}
		}
		for _, query := range []string{"SELECT COUNT() FROM Account", "SELECT MAX(Name) FROM Account"} {
			if a := c.soql(query); n > 8 {
				a.want(t, query, 400, "QUERY_TIMEOUT", text)
			} else if a.status != 200 {
				t.Errorf("%s of %d: %+v", query, n, a)
			}
		}
	}
}
