package dsn_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"

	"migrate/pkg/dsn"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]dsn.Kind{
		"postgres://u:p@h/x": dsn.Postgres, "postgresql://h/x": dsn.Postgres, "mysql://h/x": dsn.MySQL, "mariadb://h/x": dsn.MySQL,
		"sqlite:x.db": dsn.SQLite, "sqlite:///x.db": dsn.SQLite,
		"": "", "x": "", "sqlite:": "", "redis://u:geheim@h": "", "postgres://u:geheim%zz@h/x": "",
	} {
		d, err := dsn.Parse(text)
		if d.Kind != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v", text, d.Kind, err)
		}
		if err != nil && strings.Contains(err.Error(), "geheim") {
			t.Errorf("%s: the password is in the error: %v", text, err)
		}
	}
}

func TestMySQL(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"mysql://u:p%40@h/x":               "u p@ tcp h:3306 x preferred",
		"mysql://u@h:3/x?tls=false":        "u  tcp h:3 x false",
		"mysql://u@h/x?socket=/s":          "u  unix /s x ",
		"mysql://u@h/x?tls=true&socket=/s": "u  unix /s x true",
		"mysql://u@h/x?allowAllFiles=true": "",
	} {
		d, err := dsn.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		c, err := d.MySQL()
		if err == nil {
			got = strings.Join([]string{c.User, c.Passwd, c.Net, c.Addr, c.DBName, c.TLSConfig}, " ")
		}
		if got != want {
			t.Errorf("%s: %q, %v, want %q", text, got, err, want)
		}
	}
}

func TestHide(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"postgres://u:ge%2Fheim@h/x", "postgres://h/x?user=u&password=ge%2Fheim"} {
		d, err := dsn.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		err = d.Hide(fmt.Errorf("%s, ge/heim, ge%%2Fheim: %w", text, io.EOF))
		if strings.Contains(err.Error(), "heim") || !errors.Is(err, io.EOF) {
			t.Errorf("%v", err)
		}
		for ; err != nil; err = errors.Unwrap(err) {
			if strings.Contains(err.Error(), "heim") {
				t.Errorf("below: %v", err)
			}
		}
	}
}

func TestTemporary(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		err  error
		want bool
	}{
		{nil, false}, {io.ErrUnexpectedEOF, true}, {context.Canceled, false},
		{&pgconn.PgError{Code: "57P01"}, true}, {&pgconn.PgError{Code: "40P01"}, true}, {&pgconn.PgError{Code: "42P01"}, false},
		{fmt.Errorf("x: %w", &mysql.MySQLError{Number: 1213}), true}, {&mysql.MySQLError{Number: 1146}, false},
	} {
		if got := dsn.Temporary(test.err); got != test.want {
			t.Errorf("%v: %v", test.err, got)
		}
	}
}

// TestPlace: what leads to the same database is the same place, and no secret is in it.
func TestPlace(t *testing.T) {
	place := func(text string) string {
		d, err := dsn.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(d.Place(), "secret") {
			t.Errorf("%s", d.Place())
		}
		return d.Place()
	}
	t.Chdir(t.TempDir())
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, same := range [][2]string{{"postgres://u:secret@h:5432/db", "postgres://v@h:5432/db?password=secret&sslmode=disable"}, {"postgres://h/db", "postgresql://h/db"},
		{"mysql://u:secret@h/db", "mariadb://h/db?tls=true"}, {"sqlite:a.db", "sqlite://" + here + "/a.db"}} {
		if place(same[0]) != place(same[1]) {
			t.Errorf("%s and %s are two places", same[0], same[1])
		}
	}
	for _, other := range [][2]string{{"postgres://h/db", "postgres://h/db2"}, {"postgres://h/db", "postgres://i/db"}, {"postgres://h/db", "mysql://h/db"}, {"mysql:///db?socket=/a", "mysql:///db?socket=/b"},
		{"sqlite:a.db", "sqlite:b.db"}} {
		if place(other[0]) == place(other[1]) {
			t.Errorf("%s and %s are one place", other[0], other[1])
		}
	}
}
