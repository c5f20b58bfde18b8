package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"migrate/pkg/salesforce"
)

func (a *app) orgLogoutCommand() *cobra.Command {
	var revoke bool
	cmd := &cobra.Command{
		Use:   "logout NAME",
		Short: "Forget the login of an org",
		Args:  cobra.ExactArgs(1),
		RunE:  func(cmd *cobra.Command, args []string) error { return a.logout(cmd.Context(), args[0], revoke) },
	}
	cmd.Flags().BoolVar(&revoke, "revoke", false, "have the org end the login, too, wherever it is used; for logins with a refresh token")
	return cmd
}

// logout forgets a login; with revoke the org ends it first, so that a failure leaves it as it was.
func (a *app) logout(ctx context.Context, name string, revoke bool) error {
	book, err := a.orgBook()
	if err != nil {
		return err
	}
	org, err := book.find(name)
	if err != nil {
		return err
	}
	note := ""
	if revoke {
		if !org.refreshes() {
			return usagef("org %s logs in by %s, which has no refresh token to revoke; leave --revoke out", name, org.Login)
		}
		if note, err = revokeLogin(ctx, book, org); err != nil {
			return fmt.Errorf("org %s is still logged in: %w; without --revoke it is forgotten here only", name, err)
		}
	}
	if err := book.remove(ctx, org); err != nil {
		return err
	}
	if err := book.forget(ctx, org); err != nil {
		return fmt.Errorf("org %s is logged out, but its secrets are left: %w", name, err)
	}
	if a.global.json {
		return a.printOrg(org)
	}
	_, err = fmt.Fprintf(a.stdout, "org %s is logged out%s\n", name, note)
	return err
}

// revokeLogin has the org end a login. Nobody uses its token meanwhile.
func revokeLogin(ctx context.Context, book orgBook, org namedOrg) (note string, err error) {
	tr := salesforce.NewTransport()
	defer tr.CloseIdleConnections()
	err = keptToken{book, org}.Renew(ctx, func(held string) (string, error) {
		was, err := salesforce.Revoke(ctx, tr, org.LoginURL, held)
		note = " and revoked"
		if !was {
			note = "; the org had ended the login before"
		}
		return "", err
	})
	if errors.Is(err, errLoggedOut) {
		return "; there was nothing left to revoke", nil
	}
	return note, err
}
