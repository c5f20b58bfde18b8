package dsn

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	mssql "github.com/microsoft/go-mssqldb"
	"modernc.org/sqlite"
)

// Temporary reports whether the same may go well when it is done again. What a server says about a statement stays as it is; that it
// is going down, is full, or gave another one precedence, and whatever befalls the connection, may pass.
func Temporary(err error) bool {
	var (
		pg   *pgconn.PgError
		my   *mysql.MySQLError
		ms   mssql.Error
		lite *sqlite.Error
	)
	switch {
	case err == nil, errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return false
	case errors.As(err, &pg):
		// connection, rollback by the server, resources, prerequisite state (locks), intervention (shutdown, timeout), system
		return slices.ContainsFunc([]string{"08", "40", "53", "55", "57", "58"}, func(class string) bool { return strings.HasPrefix(pg.Code, class) })
	case errors.As(err, &my):
		// disk, memory, connections, shutdown, network, locks, killed, timeouts
		return slices.Contains([]uint16{1021, 1037, 1040, 1041, 1053, 1158, 1159, 1160, 1161, 1203, 1205, 1213, 1317, 1927, 1969, 3024}, my.Number)
	case errors.As(err, &ms):
		return ms.Number == 1205 || ms.Number == 1222 || ms.Class >= 17 // deadlock, lock timeout, the server's own trouble
	case strings.HasPrefix(err.Error(), "ORA-"):
		// starting, down, going down, snapshot too old, cut off, network
		return slices.ContainsFunc([]string{"ORA-01033", "ORA-01034", "ORA-01089", "ORA-01555", "ORA-03113", "ORA-03114", "ORA-12"},
			func(code string) bool { return strings.HasPrefix(err.Error(), code) })
	case errors.As(err, &lite):
		switch lite.Code() & 0xff {
		case 5, 6, 7, 10, 13: // busy, locked, memory, input and output, full
			return true
		}
		return false
	}
	return true
}

// Refused reports whether a server does not let in who asks.
func Refused(err error) bool {
	var (
		pg *pgconn.PgError
		my *mysql.MySQLError
		ms mssql.Error
	)
	switch {
	case errors.As(err, &pg):
		return strings.HasPrefix(pg.Code, "28")
	case errors.As(err, &my):
		return my.Number == 1044 || my.Number == 1045 || my.Number == 1698
	case errors.As(err, &ms):
		return ms.Number == 18456
	}
	return err != nil && strings.HasPrefix(err.Error(), "ORA-01017")
}
