package sources

import (
	"context"
	"errors"
	"fmt"

	"migrate/pkg/dsn"
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
	cause := ErrQuery
	switch {
	case dsn.Refused(err):
		cause = ErrLogin
	case dsn.Temporary(err), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		cause = ErrDatabase
	}
	return fmt.Errorf("%w: %w", cause, err)
}
