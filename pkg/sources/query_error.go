package sources

import (
	"errors"
	"fmt"
	"strings"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	mssql "github.com/microsoft/go-mssqldb"
	"modernc.org/sqlite"
)

// The causes of errors that a database or the way to it brought about.
var (
	// ErrDatabase may be gone when the same is asked again.
	ErrDatabase = errors.New("the database did not answer as it should")
	// ErrQuery is the answer to the query as it stands.
	ErrQuery = errors.New("the database refuses the query")
	// ErrLogin is the answer to who asks.
	ErrLogin = errors.New("the database refuses the login")
	// ErrAddress is an address that leads to no database.
	ErrAddress = errors.New("the address of the database is wrong")
)

// answered gives an error of a query its cause. What a server says about the query is ErrQuery; that it is going down, is full, or
// gave another one precedence, and whatever befalls the connection, is ErrDatabase; that it does not know who asks is ErrLogin.
func answered(err error) error {
	var (
		pg    *pgconn.PgError
		my    *mysql.MySQLError
		ms    mssql.Error
		lite  *sqlite.Error
		cause = ErrQuery
	)
	switch {
	case errors.As(err, &pg) && strings.HasPrefix(pg.Code, "28"),
		errors.As(err, &my) && (my.Number == 1044 || my.Number == 1045 || my.Number == 1698),
		errors.As(err, &ms) && ms.Number == 18456, strings.HasPrefix(err.Error(), "ORA-01017"):
		cause = ErrLogin
	case errors.As(err, &pg):
		// connection, rollback by the server, resources, prerequisite state (locks), intervention (shutdown, timeout), system
		for _, class := range []string{"08", "40", "53", "55", "57", "58"} {
			if strings.HasPrefix(pg.Code, class) {
				cause = ErrDatabase
			}
		}
	case errors.As(err, &my):
		switch my.Number {
		case 1021, 1037, 1040, 1041, 1053, 1158, 1159, 1160, 1161, 1203, 1205, 1213, 1317, 1927, 1969, 3024:
			cause = ErrDatabase // disk, memory, connections, shutdown, network, locks, killed, timeouts
		}
	case errors.As(err, &ms):
		if ms.Number == 1205 || ms.Number == 1222 || ms.Class >= 17 { // deadlock, lock timeout, the server's own trouble
			cause = ErrDatabase
		}
	case errors.As(err, &lite):
		switch lite.Code() & 0xff {
		case 5, 6, 7, 10: // busy, locked, memory, input and output
			cause = ErrDatabase
		}
	case strings.HasPrefix(err.Error(), "ORA-"):
		for _, code := range []string{"ORA-01033", "ORA-01034", "ORA-01089", "ORA-01555", "ORA-03113", "ORA-03114", "ORA-12"} {
			if strings.HasPrefix(err.Error(), code) { // starting, down, going down, snapshot too old, cut off, network
				cause = ErrDatabase
			}
		}
	default:
		cause = ErrDatabase
	}
	return fmt.Errorf("%w: %w", cause, err)
}
