package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

func (a *app) rehearseCommand() *cobra.Command {
	var (
		flags  runFlags
		schema string
		limit  int64
	)
	cmd := &cobra.Command{
		Use:   "rehearse PLAN.yaml [JOB…]",
		Short: "Work on a plan against a local org built from describe snapshots, without a network",
		Long: "Work on the jobs of a plan against a new, empty local org inside this process, whatever org the plan names.\n" +
			"The org is built from describe snapshots and refuses what the described org refuses: lengths, required fields,\n" +
			"restricted picklists, lookups. migrate describe --snapshot writes them; take the objects that lookups point to along\n" +
			"(--related), or no value fits those lookups. The run is like any other: reports, resume and retry, and exit codes.",
		Example: "  migrate describe Account Contact --related --snapshot snapshots --instance-url https://acme.my.salesforce.com\n" +
			"  migrate rehearse migrate.yaml --schema snapshots",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			options, err := flags.parse()
			if err != nil {
				return err
			}
			p, err := readPlan(args, limit)
			if err != nil {
				return err
			}
			return a.start(cmd.Context(), newRun{plan: *p, options: options, reserve: flags.reserve, command: commandLine(cmd, args), bounds: flags.bounds, yes: true, rehearsal: true, // nothing is at stake
				connect: func(dir string) (*connection, error) { return a.connectRehearsal(cmd.Context(), schema, dir) },
			}, a.output(flags.statsFlag))
		},
	}
	cmd.Flags().StringVar(&schema, "schema", "", "folder of describe snapshots, one OBJECT.json each (default: the built-in objects)")
	cmd.Flags().Int64Var(&limit, "limit", 0, "load only the first N rows of each job")
	flags.add(cmd)
	return cmd
}

// connectRehearsal opens a local org in a run folder, with a copy of the snapshots, since resume and retry need the same ones.
func (a *app) connectRehearsal(ctx context.Context, schema, dir string) (*connection, error) {
	o := orgSpec{Name: localName}
	if schema != "" {
		o.Schema = localSchemaName
		if err := copySnapshots(schema, filepath.Join(dir, o.Schema)); err != nil {
			return nil, usagef("--schema %s: %w", schema, err)
		}
	}
	return a.connect(ctx, o, dir)
}

func copySnapshots(from, to string) error {
	files := os.DirFS(from)
	names, err := fs.Glob(files, "*.json")
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return errors.New("it is not there or holds no describe snapshot (OBJECT.json)")
	}
	if err := os.Mkdir(to, 0o700); err != nil {
		return err
	}
	for _, name := range names {
		data, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		if err := writeWhole(filepath.Join(to, name), data); err != nil {
			return err
		}
	}
	return nil
}
