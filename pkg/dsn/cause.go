package dsn

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
)

// Temporary reports whether the same may go well when it is done again. What a server says about a statement stays as it is; that it
// is going down, is full, or gave another one precedence, and whatever befalls the connection, may pass.
func Temporary(err error) bool {
	var (
		pg   *pgconn.PgError
		my   *mysql.MySQLError
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
	case errors.As(err, &lite):
		switch lite.Code() & 0xff {
		case 5, 6, 7, 10, 13: // busy, locked, memory, input and output, full
			return true
		}
		return false
	}
	return true
}
