package main

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

func (a *app) orgListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the orgs that have a name",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			book, err := a.orgBook()
			if err != nil {
				return err
			}
			orgs, err := book.read()
			if err != nil {
				return err
			}
			if a.global.json {
				for _, o := range orgs {
					if err := a.printOrg(o); err != nil {
						return err
					}
				}
				return nil
			}
			w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "NAME\tLOGIN\tUSER\tORG\tSECRETS")
			for _, o := range orgs {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", o.Name, o.Login, o.Username, o.InstanceURL, o.Secrets)
			}
			return w.Flush()
		},
	}
}

// printOrg prints an org as a JSON line.
func (a *app) printOrg(o namedOrg) error {
	return json.NewEncoder(a.stdout).Encode(struct {
		Type string `json:"message_type"`
		namedOrg
	}{"org", o})
}
