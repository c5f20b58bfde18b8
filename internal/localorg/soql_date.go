package localorg

import (
	"strconv"
	"strings"
	"time"
)

const dateForm = "2006-01-02"

// dateSpan reads a date literal such as TODAY, THIS_MONTH or LAST_N_DAYS:7 and gives its first day and the day after its last one, in
// UTC. Weeks begin on Sunday; fiscal years are calendar years.
func dateSpan(word string, now time.Time) (from, until time.Time, ok bool) {
	now = now.UTC()
	today := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, time.UTC)
	name, number, numbered := strings.Cut(strings.ToUpper(word), ":")
	name, fiscal := strings.Replace(name, "FISCAL_", "", 1), strings.Contains(name, "FISCAL_")
	day := func(n int) time.Time { return today.AddDate(0, 0, n) }
	switch name {
	case "YESTERDAY":
		return day(-1), today, !numbered
	case "TODAY":
		return today, day(1), !numbered
	case "TOMORROW":
		return day(1), day(2), !numbered
	case "LAST_90_DAYS":
		return day(-90), day(1), !numbered
	case "NEXT_90_DAYS":
		return day(1), day(91), !numbered
	}
	which, unit, found := strings.Cut(name, "_")
	n, plural, ago := 1, false, false
	if rest, yes := strings.CutPrefix(unit, "N_"); yes {
		unit, plural = rest, true
	}
	unit, ago = strings.CutSuffix(unit, "_AGO")
	if numbered != (plural || ago) || plural && ago || ago != (which == "N") || !found {
		return from, until, false
	}
	if numbered {
		var err error
		if n, err = strconv.Atoi(number); err != nil || n < 0 || n > 10_000 {
			return from, until, false
		}
		if unit, found = strings.CutSuffix(unit, "S"); !found {
			return from, until, false
		}
	}
	// start gives the first day of the unit that lies i units from this one
	var start func(i int) time.Time
	switch unit {
	case "DAY":
		start = day
	case "WEEK":
		start = func(i int) time.Time { return day(7*i - int(today.Weekday())) }
	case "MONTH":
		start = func(i int) time.Time {
			return time.Date(now.Year(), now.Month()+time.Month(i), 1, 0, 0, 0, 0, time.UTC)
		}
	case "QUARTER":
		first := (now.Month()-1)/3*3 + 1
		start = func(i int) time.Time { return time.Date(now.Year(), first+time.Month(3*i), 1, 0, 0, 0, 0, time.UTC) }
	case "YEAR":
		start = func(i int) time.Time { return time.Date(now.Year()+i, 1, 1, 0, 0, 0, 0, time.UTC) }
	default:
		return from, until, false
	}
	if !numbered && unit == "DAY" || fiscal && unit != "QUARTER" && unit != "YEAR" {
		return from, until, false
	}
	switch {
	case which == "THIS" && !numbered:
		return start(0), start(1), true
	case which == "LAST" && plural && unit == "DAY": // the days before today, and today
		return day(-n), day(1), true
	case which == "LAST":
		return start(-n), start(0), true
	case which == "NEXT":
		return start(1), start(n + 1), true
	case which == "N" && ago: // N_DAYS_AGO:n
		return start(-n), start(1 - n), true
	}
	return from, until, false
}

// inCalendar keeps a day within the years that are written with four digits; no record has others.
func inCalendar(day time.Time) time.Time {
	switch {
	case day.Year() < 1:
		return time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	case day.Year() > 9999:
		return time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
	}
	return day
}
