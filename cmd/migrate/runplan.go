package main

import (
	"slices"

	"github.com/spf13/cobra"

	"migrate/pkg/plan"
)

func (a *app) runCommand() *cobra.Command {
	var (
		org   orgSpec
		flags runFlags
		limit int64
		goOn  bool
	)
	cmd := &cobra.Command{
		Use:   "run PLAN.yaml [JOB…]",
		Short: "Work on the jobs of a plan, in the order of the plan",
		Long: "Work on the jobs of a plan, or on those that are named, in the order of the plan. Exports stand between loads as in the plan.\n\n" +
			"What is started by a clock is started with --resume: it goes on with the newest unfinished run of the same plan and the same jobs, with the\n" +
			"settings that it began with, and begins a new one only when there is none. A second one meanwhile ends with exit code 8.",
		Example: "  migrate run testdata/crm/migrate.yaml --org local\n" +
			"  migrate run nightly.yaml --resume --max-duration 4h",
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
			if org.Name == "" && org.InstanceURL == "" {
				org.Name = p.Org
			}
			n := newRun{plan: *p, options: options, reserve: flags.reserve, bounds: flags.bounds, of: refOf(args), command: commandLine(cmd, args), yes: flags.yes,
				connect: a.connector(cmd.Context(), org)}
			if !goOn {
				return a.start(cmd.Context(), n, a.output(flags.statsFlag))
			}
			change := func(spec *runSpec) error {
				if cmd.Flags().Changed("max-errors") {
					spec.Options.MaxErrors = options.MaxErrors
				}
				if cmd.Flags().Changed("reserve-api") {
					spec.Reserve = flags.reserve
				}
				return nil
			}
			return a.goOn(cmd.Context(), n, org, change, a.output(flags.statsFlag))
		},
	}
	cmd.Flags().BoolVar(&goOn, "resume", false, "go on with the newest unfinished run of this plan, and begin a new one only when there is none")
	cmd.Flags().Int64Var(&limit, "limit", 0, "load only the first N rows of each job")
	org.add(cmd)
	flags.add(cmd)
	return cmd
}

// readPlan reads a plan file, the first argument, and keeps the jobs that the others name.
func readPlan(args []string, limit int64) (*plan.Plan, error) {
	if limit < 0 {
		return nil, usagef("--limit %d: a number of rows, or 0 for all", limit)
	}
	p, err := plan.Read(args[0])
	if err != nil {
		return nil, err
	}
	if len(args) > 1 {
		if err := chooseJobs(p, args[1:]); err != nil {
			return nil, err
		}
	}
	for i := range p.Jobs {
		if limit > 0 {
			p.Jobs[i].Limit = limit
		}
	}
	return p, nil
}

// chooseJobs keeps the named jobs and their second passes, in plan order.
func chooseJobs(p *plan.Plan, names []string) error {
	for _, n := range names {
		if !slices.ContainsFunc(p.Jobs, func(j plan.Job) bool { return j.Name == n }) && !slices.ContainsFunc(p.Exports, func(x plan.Export) bool { return x.Name == n }) {
			return usagef("the plan has no job %q", n)
		}
	}
	p.Jobs = slices.DeleteFunc(p.Jobs, func(j plan.Job) bool {
		return !slices.Contains(names, j.Name) && (j.First == "" || !slices.Contains(names, j.First))
	})
	p.Exports = slices.DeleteFunc(p.Exports, func(x plan.Export) bool { return !slices.Contains(names, x.Name) })
	return nil
}
